package dropkit

import java.nio.Buffer
import java.nio.ByteBuffer

/** The bytes of one plane of a frame, from the buffer's position on. The buffer's own position stays as it is. */
internal class FrameBytes(buffer: ByteBuffer, private val rowStride: Int, private val pixelStride: Int) {
    private val bytes = buffer.slice()

    // ByteBuffer's own position(int) is newer than the oldest Android.
    private val cursor: Buffer = bytes

    /** Refuses strides and a length that do not hold width x height pixels, of which each has `size` bytes. */
    internal fun requireSize(width: Int, height: Int, size: Int, name: String) {
        require(width > 0 && height > 0) { "$name has $width x $height pixels: give the size of the image" }
        val line = length(width, size)
        require(pixelStride >= size && rowStride >= line) {
            "$name: strides of $rowStride and $pixelStride bytes hold no $width x $height pixels: give the plane's own"
        }
        val needed = (height - 1).toLong() * rowStride + line
        require(bytes.capacity() >= needed) {
            "$name has ${bytes.capacity()} bytes, and $width x $height pixels need $needed: " +
                "give the whole buffer, from its beginning"
        }
    }

    /** Reads `count` pixels of row `y`, from column `left` on, into an array of [length] at least. */
    internal fun read(y: Int, left: Int, count: Int, size: Int, into: ByteArray) {
        cursor.position(y * rowStride + left * pixelStride)
        bytes.get(into, 0, length(count, size).toInt())
    }

    /** How many bytes there are from the first of `count` pixels to the end of the last. */
    internal fun length(count: Int, size: Int): Long = (count - 1).toLong() * pixelStride + size

    /** From a pixel to the next, in bytes. */
    internal val step: Int get() = pixelStride
}
