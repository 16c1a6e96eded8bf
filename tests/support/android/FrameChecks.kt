// Compiled with templates/android/runtime: what its pre-processing takes, refuses and leaves behind.
package dropkit

import android.graphics.Bitmap
import com.sun.management.ThreadMXBean
import java.io.File
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer

private fun bytes(size: Int) = ByteBuffer.allocateDirect(size)

private fun yuv(width: Int, height: Int): YuvFrame {
    val (halfWidth, halfHeight) = Pair((width + 1) / 2, (height + 1) / 2)
    val chroma = List(2) { YuvFrame.Plane(bytes(2 * halfWidth * halfHeight), 2 * halfWidth, 2) }
    return YuvFrame(width, height, YuvFrame.Plane(bytes(width * height), width, 1), chroma[0], chroma[1])
}

private fun bitmap(width: Int, height: Int) = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)

/** Without a box around each number. */
private fun interface Load {
    fun load(i: Int, rotation: Int, mirror: Boolean, region: Region?)
}

private fun Load.all(region: Region) {
    for (i in 0..1) for (turn in 0..3) {
        load(i, 90 * turn, turn == 1, null)
        load(i, 90 * turn, true, region)
    }
}

/** Loads of one size, of another, turned, mirrored and cut: all were seen before the bytes are counted. */
private fun garbage() {
    val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
    val id = Thread.currentThread().id
    val sizes = listOf(64 to 48, 31 to 77)
    val region = Region(3, 5, 20, 21)
    for (color in listOf(ImageColor.RGB, ImageColor.GRAYSCALE)) for (resize in ImageResize.entries) {
        val input = ImageInput(40, 24, color, resize)
        val bitmaps = sizes.map { bitmap(it.first, it.second) }
        val yuvs = sizes.map { yuv(it.first, it.second) }
        val rgbas = sizes.map { RgbaFrame(it.first, it.second, bytes(4 * it.first * it.second)) }
        val sources = listOf(
            Load { i, rotation, mirror, part -> input.load(bitmaps[i], rotation, mirror, part) },
            Load { i, rotation, mirror, part -> input.load(yuvs[i], rotation, mirror, part) },
            Load { i, rotation, mirror, part -> input.load(rgbas[i], rotation, mirror, part) },
        )
        for ((number, load) in sources.withIndex()) {
            load.all(region)
            val before = threads.getThreadAllocatedBytes(id)
            val bare = threads.getThreadAllocatedBytes(id) - before
            val start = threads.getThreadAllocatedBytes(id)
            load.all(region)
            val made = threads.getThreadAllocatedBytes(id) - start - bare
            println("source $number, $color, $resize: $made bytes")
        }
    }
}

private fun refusals() {
    val input = ImageInput(8, 8, ImageColor.RGB, ImageResize.STRETCH)
    val image = bitmap(6, 4)
    val plane = { size: Int, row: Int, pixel: Int -> YuvFrame.Plane(bytes(size), row, pixel) }
    listOf<() -> Unit>(
        { input.load(image, 45) },
        { input.load(image, -91) },
        { input.load(image, 90, region = Region(3, 0, 2, 2)) },
        { input.load(image, 90, region = Region(0, 5, 2, 2)) },
        { Region(-1, 0, 2, 2) },
        { Region(0, 0, 0, 2) },
        { input.load(bitmap(6, 4).apply { recycle() }) },
        { YuvFrame(6, 4, plane(23, 6, 1), plane(6, 3, 1), plane(6, 3, 1)) },
        { YuvFrame(6, 4, plane(24, 6, 1), plane(6, 3, 1), plane(5, 3, 1)) },
        { YuvFrame(6, 4, plane(24, 6, 1), plane(9, 4, 2), plane(6, 3, 1)) },
        { RgbaFrame(6, 4, bytes(96), 16) },
        { RgbaFrame(0, 4, bytes(96)) },
    ).forEach {
        try {
            it()
            println("not refused")
        } catch (error: RuntimeException) {
            println(error.message)
        }
    }
}

private fun large(rotation: Int, out: File) {
    val (width, height) = Pair(8160, 6120)
    val image = bitmap(width, height)
    val row = IntArray(width)
    for (y in 0 until height) {
        for (x in row.indices) row[x] = (x * 31 + y * 17 + x * y % 13 and 0xFF) * 0x010101 or (0xFF shl 24)
        image.setPixels(row, 0, width, 0, y, width, 1)
    }
    val input = ImageInput(224, 224, ImageColor.GRAYSCALE, ImageResize.CROP)
    input.load(image, rotation)
    out.writeBytes(input.pixels)
}

public fun main(args: Array<String>) {
    when (args[0]) {
        "garbage" -> garbage()
        "refusals" -> refusals()
        else -> large(args[1].toInt(), File(args[2]))
    }
}
