// Compiled with templates/android/runtime: the time and the garbage of its pre-processing, round by round.
package dropkit

import android.graphics.Bitmap
import com.sun.management.ThreadMXBean
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import kotlin.random.Random

private const val SIDE = 224
private const val ROUND = 300_000_000L // ns

private val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean

private fun buffer(random: Random, size: Int): ByteBuffer =
    ByteBuffer.allocateDirect(size).put(random.nextBytes(size)).also { it.rewind() }

/** A camera's frame: U and V lie in turn in one buffer. */
private fun yuv(random: Random, width: Int, height: Int): YuvFrame {
    val chroma = buffer(random, width * height / 2)
    val u = YuvFrame.Plane(chroma.duplicate(), width, 2)
    val v = YuvFrame.Plane(chroma.also { it.position(1) }, width, 2)
    return YuvFrame(width, height, YuvFrame.Plane(buffer(random, width * height), width, 1), u, v)
}

private fun loader(input: ImageInput, source: String, width: Int, height: Int, rotation: Int): () -> Unit {
    val random = Random(7)
    return when (source) {
        "bitmap" -> {
            val colors = IntArray(width * height) { random.nextInt() or (0xFF shl 24) }
            val bitmap = Bitmap.createBitmap(colors, width, height, Bitmap.Config.ARGB_8888);
            { input.load(bitmap, rotation) }
        }
        "yuv" -> yuv(random, width, height).let { { input.load(it, rotation) } }
        else -> RgbaFrame(width, height, buffer(random, 4 * width * height)).let { { input.load(it, rotation) } }
    }
}

/** For each line "source width height rotation": loads for a while, and prints the best ns of a call and its bytes. */
fun main() {
    val loaders = HashMap<String, () -> Unit>()
    generateSequence(::readlnOrNull).forEach { line ->
        val load = loaders.getOrPut(line) {
            val (source, width, height, rotation) = line.split(" ")
            val input = ImageInput(SIDE, SIDE, ImageColor.RGB, ImageResize.STRETCH)
            loader(input, source, width.toInt(), height.toInt(), rotation.toInt())
        }
        load()
        var best = Long.MAX_VALUE
        val id = Thread.currentThread().id
        val before = threads.getThreadAllocatedBytes(id)
        val until = System.nanoTime() + ROUND
        while (System.nanoTime() < until) {
            val start = System.nanoTime()
            load()
            best = minOf(best, System.nanoTime() - start)
        }
        println("$best ${threads.getThreadAllocatedBytes(id) - before}")
    }
}
