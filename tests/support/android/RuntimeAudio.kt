package dropkit

import java.io.DataInputStream
import java.io.DataOutputStream
import java.io.File
import java.lang.management.ManagementFactory

/** One sound, and how the model takes it; `parts`: how many frames are fed to a stream a time, in turn. */
private class Heard(input: DataInputStream) {
    val target: Int = input.readInt()
    val window: Int = input.readInt()
    val hop: Int = input.readInt()
    val rate: Int = input.readInt()
    val channels: Int = input.readInt()
    val parts: List<Int> = List(input.readInt()) { input.readInt() }
    val whole: Boolean = input.readInt() == 16
    private val count = input.readInt()
    val shorts: ShortArray = if (whole) ShortArray(count) { input.readShort() } else ShortArray(0)
    val floats: FloatArray = if (whole) FloatArray(0) else FloatArray(count) { input.readFloat() }
}

private fun DataOutputStream.put(values: FloatArray) = values.forEach { writeInt(it.toBits()) }

private fun AudioInput.load(heard: Heard) {
    if (heard.whole) load(heard.shorts, heard.rate, heard.channels) else load(heard.floats, heard.rate, heard.channels)
}

private fun <T> AudioStream<T>.feed(heard: Heard): Int {
    var start = 0
    var called = 0
    var turn = 0
    val size = heard.shorts.size + heard.floats.size
    while (start < size) {
        val end = minOf(size, start + heard.channels * heard.parts[turn++ % heard.parts.size])
        // What lies behind `count` is not to be read.
        called += if (heard.whole) {
            feed(heard.shorts.copyOfRange(start, end) + ShortArray(5) { 777 }, end - start)
        } else {
            feed(heard.floats.copyOfRange(start, end) + FloatArray(5) { 777f }, end - start)
        }
        start = end
    }
    return called
}

/** Prints how many windows a sound in buffers of one size is, and how many bytes these and whole sounds make. */
private fun measure(heard: Heard) {
    val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
    val sums = DoubleArray(1)
    val input = AudioInput(heard.target, heard.window)
    val stream = AudioStream(input, heard.rate, heard.channels, heard.hop, { sum, _ -> sums[0] += sum[0] }) { window ->
        sums.also { it[0] = window[0].toDouble() }
    }
    repeat(2000) { stream.feed(heard.shorts) }
    val before = threads.currentThreadAllocatedBytes
    var called = 0
    repeat(50) { called += stream.feed(heard.shorts) }
    val streamed = threads.currentThreadAllocatedBytes - before
    val whole = AudioInput(heard.target, heard.window)
    repeat(2000) { whole.load(heard) }
    val begun = threads.currentThreadAllocatedBytes
    repeat(50) { whole.load(heard) }
    println("$called $streamed ${threads.currentThreadAllocatedBytes - begun}")
}

fun main(arguments: Array<String>) {
    val input = DataInputStream(File(arguments[1]).inputStream().buffered())
    DataOutputStream(File(arguments[2]).outputStream().buffered()).use { out ->
        repeat(input.readInt()) {
            val heard = Heard(input)
            if (arguments[0] == "measure") {
                measure(heard)
                return@repeat
            }
            val audio = AudioInput(heard.target, heard.window)
            // A sound of another rate, and the same one, come before: nothing of them may be left.
            audio.load(FloatArray(3000) { 1f }, 9000, 1)
            audio.load(heard)
            audio.load(heard)
            out.put(audio.values)
            val windows = ArrayList<FloatArray>()
            val starts = ArrayList<Double>()
            val stream = AudioStream(AudioInput(heard.target, heard.window), heard.rate, heard.channels, heard.hop, { outputs, seconds ->
                windows += outputs.copyOf()
                starts += seconds
            }) { it }
            stream.feed(heard)
            stream.reset()
            windows.clear()
            starts.clear()
            check(stream.feed(heard) == windows.size)
            out.writeInt(windows.size)
            windows.forEach(out::put)
            starts.forEach(out::writeDouble)
            out.writeInt(stream.lookAhead)
        }
    }
}
