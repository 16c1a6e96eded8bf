// Compiled with templates/android/runtime: runs its pre-processing on frames of a file.
package dropkit

import android.graphics.Bitmap
import java.io.DataInputStream
import java.io.DataOutputStream
import java.io.File
import java.nio.ByteBuffer

private fun DataInputStream.ints(count: Int) = IntArray(count) { readInt() }

/** A buffer of the next bytes: of the heap or direct, and with bytes before its position, in turn. */
private fun DataInputStream.buffer(number: Int): ByteBuffer {
    val bytes = ByteArray(readInt()).also { readFully(it) }
    val before = number % 3
    val size = before + bytes.size
    val buffer = if (number % 2 == 0) ByteBuffer.allocate(size) else ByteBuffer.allocateDirect(size)
    buffer.position(before)
    buffer.put(bytes)
    buffer.position(before)
    return buffer
}

private fun DataInputStream.bitmap(width: Int, height: Int, isOpaque: Boolean, isHardware: Boolean): Bitmap {
    val config = if (isHardware) Bitmap.Config.HARDWARE else Bitmap.Config.ARGB_8888
    return Bitmap.createBitmap(ints(width * height), width, height, config).apply { if (isOpaque) setHasAlpha(false) }
}

private fun DataInputStream.yuv(width: Int, height: Int, number: Int): YuvFrame {
    val standard = YuvStandard.entries[readInt()]
    val (y, u, v) = List(3) {
        val (row, pixel) = ints(2)
        YuvFrame.Plane(buffer(number + it), row, pixel)
    }
    return YuvFrame(width, height, y, u, v, standard)
}

/**
 * Reads cases from the first file, 32-bit big-endian numbers: size of the model's image, colour, resize, number of pad
 * values and these; rotation, mirror, 0 or 4 and a region; kind of source, its size, and the source. Writes of each the
 * pixels and the placement to the second file.
 */
public fun main(args: Array<String>) {
    val made = HashMap<List<Any>, ImageInput>()
    DataInputStream(File(args[0]).inputStream().buffered()).use { cases ->
        DataOutputStream(File(args[1]).outputStream().buffered()).use { out ->
            repeat(cases.readInt()) { number ->
                val (width, height, color, resize) = cases.ints(4)
                val pad = cases.ints(cases.readInt())
                // One object for each target, as an app has it: its tables must follow the size of each frame.
                val input = made.getOrPut(listOf(width, height, color, resize, pad.toList())) {
                    ImageInput(width, height, ImageColor.entries[color], ImageResize.entries[resize], pad)
                }
                val rotation = cases.readInt()
                val mirror = cases.readInt() == 1
                val part = cases.ints(cases.readInt())
                val region = if (part.isEmpty()) null else Region(part[0], part[1], part[2], part[3])
                val (kind, wide, high) = cases.ints(3)
                when (kind) {
                    0, 1, 2 -> input.load(cases.bitmap(wide, high, kind == 1, kind == 2), rotation, mirror, region)
                    3 -> input.load(cases.yuv(wide, high, number), rotation, mirror, region)
                    else -> {
                        val row = cases.readInt()
                        input.load(RgbaFrame(wide, high, cases.buffer(number), row), rotation, mirror, region)
                    }
                }
                out.write(input.pixels)
                input.placement.forEach(out::writeDouble)
            }
        }
    }
}
