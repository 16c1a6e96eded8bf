import android.graphics.Bitmap
import com.example.digits.Digits
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.sun.management.ThreadMXBean
import dropkit.desktop.DesktopContext
import dropkit.desktop.HostBuffer
import dropkit.desktop.Session
import java.lang.management.ManagementFactory

private const val CALLS = 2_000
private const val ROUNDS = 40

/** Write, run, read: what any app must do, through the C functions alone. */
private class Bare(path: String) {
    private val session = Session.fromFile(Session.createEnvironment(intArrayOf(), arrayOf()), path, 1, mapOf())
    private val input = session.createInput(0, 0)
    private val output = session.createOutput(0, 0)
    private val result = ByteArray(output.elements)

    fun call(image: ByteArray) {
        input.lock(HostBuffer.WRITE)
        input.bytes.put(0, image)
        input.unlock()
        session.setInput(0, input.handle)
        session.setOutput(0, output.handle)
        session.run(0, 1, 1)
        output.lock(HostBuffer.READ)
        output.bytes.get(0, result)
        output.unlock()
    }
}

private inline fun nanos(call: () -> Unit): Double {
    val start = System.nanoTime()
    repeat(CALLS) { call() }
    return (System.nanoTime() - start) / CALLS.toDouble()
}

private val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean

private inline fun bytes(call: () -> Unit): Double {
    val id = Thread.currentThread().id
    val start = threads.getThreadAllocatedBytes(id)
    repeat(CALLS) { call() }
    return (threads.getThreadAllocatedBytes(id) - start) / CALLS.toDouble()
}

fun main(args: Array<String>) {
    val image = ByteArray(64) { (it * 3).toByte() }
    val bitmap = Bitmap.createBitmap(IntArray(64) { it * 0x030303 }, 8, 8, Bitmap.Config.ARGB_8888)
    val bare = Bare(args[0])
    val read = CompiledModel.create(args[0]).createOutputBuffers()[0]
    Digits.create(DesktopContext("dropkit.assets"), listOf(Accelerator.CPU)).use { digits ->
        val ours = mutableListOf<Double>()
        val theirs = mutableListOf<Double>()
        val seen = digits.classify(image)
        repeat(ROUNDS) {
            theirs += nanos { bare.call(image) }
            ours += nanos { digits.classify(image, seen) }
            nanos { digits.classify(bitmap, reuse = seen) }
            nanos { read.readInt8() }
        }
        val array = bytes { read.readInt8() }
        // The first rounds are interpreted: the middle of the later half is the steady state.
        println("bare ${theirs.drop(ROUNDS / 2).sorted()[ROUNDS / 4]}")
        println("kotlin ${ours.drop(ROUNDS / 2).sorted()[ROUNDS / 4]}")
        println("own ${bytes { digits.classify(image, seen) } - array}")
        println("image ${bytes { digits.classify(bitmap, reuse = seen) } - array}")
        println("read $array")
    }
}
