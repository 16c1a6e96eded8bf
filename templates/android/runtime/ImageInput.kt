package dropkit

import android.graphics.Bitmap
import kotlin.math.abs
import kotlin.math.ceil

internal enum class Color(val channels: Int) { GRAYSCALE(1), RGB(3), BGR(3) }

/** Turns bitmaps into the pixels of one input, as the bundle's own preprocess.py does with Pillow: byte for byte. */
internal class ImageInput(
    private val width: Int,
    private val height: Int,
    private val color: Color,
    private val crop: Boolean,
) {
    /** [height, width, channels], 0..255. */
    val pixels = ByteArray(height * width * color.channels)

    // For bitmaps of one size: a stream of frames makes them once.
    private var colors = IntArray(0)
    private var read = ByteArray(0)
    private var halfway = ByteArray(0)
    private var across: Resampler? = null
    private var down: Resampler? = null

    fun load(bitmap: Bitmap, rotationDegrees: Int) {
        require(rotationDegrees in 0..270 && rotationDegrees % 90 == 0) {
            "the rotation is $rotationDegrees degrees, and 0, 90, 180 or 270 is needed"
        }
        check(!bitmap.isRecycled) { "the bitmap is recycled" }
        val turned = rotationDegrees % 180 != 0
        val fullWidth = if (turned) bitmap.height else bitmap.width
        val fullHeight = if (turned) bitmap.width else bitmap.height
        val boxWidth = if (crop) part(fullHeight, width, height, fullWidth) else fullWidth
        val boxHeight = if (crop) part(fullWidth, height, width, fullHeight) else fullHeight
        val size = Math.multiplyExact(Math.multiplyExact(boxWidth, boxHeight), color.channels)
        if (colors.size != boxWidth * boxHeight) colors = IntArray(boxWidth * boxHeight)
        if (read.size != size) read = ByteArray(size)
        read(bitmap, rotationDegrees, (fullWidth - boxWidth) / 2, (fullHeight - boxHeight) / 2, boxWidth, boxHeight)
        for (y in 0 until boxHeight) readLine(rotationDegrees, y, boxWidth, boxHeight)
        resize(boxWidth, boxHeight)
    }

    /** As much of a side as keeps the proportions of the target. */
    private fun part(other: Int, size: Int, otherSize: Int, most: Int): Int =
        (other.toLong() * size / otherSize).coerceIn(1, most.toLong()).toInt()

    private fun resize(boxWidth: Int, boxHeight: Int) {
        val across = acrossOf(boxWidth)
        val down = downOf(boxHeight)
        val channels = color.channels
        // Each pass rounds, so their order counts: it is Pillow's since version 13.
        val downFirst = boxHeight > height && boxHeight - height > 2 * (boxWidth - width)
        val halfSize = channels * if (downFirst) boxWidth * height else width * boxHeight
        if (halfway.size != halfSize) halfway = ByteArray(halfSize)
        if (downFirst) {
            down.columns(read, halfway, boxWidth * channels)
            for (y in 0 until height) across.line(halfway, y * boxWidth * channels, pixels, y * width * channels, channels)
        } else {
            for (y in 0 until boxHeight) across.line(read, y * boxWidth * channels, halfway, y * width * channels, channels)
            down.columns(halfway, pixels, width * channels)
        }
    }

    private fun acrossOf(size: Int): Resampler =
        across?.takeIf { it.source == size } ?: Resampler(size, width).also { across = it }

    private fun downOf(size: Int): Resampler =
        down?.takeIf { it.source == size } ?: Resampler(size, height).also { down = it }

    /** Reads the box, given in the turned image, from the bitmap as it lies. */
    private fun read(bitmap: Bitmap, rotation: Int, left: Int, top: Int, boxWidth: Int, boxHeight: Int) {
        val right = (if (rotation % 180 == 0) bitmap.width else bitmap.height) - left - boxWidth
        val bottom = (if (rotation % 180 == 0) bitmap.height else bitmap.width) - top - boxHeight
        when (rotation) {
            0 -> bitmap.getPixels(colors, 0, boxWidth, left, top, boxWidth, boxHeight)
            90 -> bitmap.getPixels(colors, 0, boxHeight, top, right, boxHeight, boxWidth)
            180 -> bitmap.getPixels(colors, 0, boxWidth, right, bottom, boxWidth, boxHeight)
            else -> bitmap.getPixels(colors, 0, boxHeight, bottom, left, boxHeight, boxWidth)
        }
    }

    /** Fills row y of the turned box in [read], in the model's colours. */
    private fun readLine(rotation: Int, y: Int, boxWidth: Int, boxHeight: Int) {
        val start = when (rotation) {
            0 -> y * boxWidth
            90 -> (boxWidth - 1) * boxHeight + y
            180 -> (boxHeight - y) * boxWidth - 1
            else -> boxHeight - 1 - y
        }
        val step = when (rotation) {
            0 -> 1
            90 -> -boxHeight
            180 -> -1
            else -> boxHeight
        }
        for (x in 0 until boxWidth) put((y * boxWidth + x) * color.channels, colors[start + x * step])
    }

    private fun put(at: Int, argb: Int) {
        val alpha = argb ushr 24
        val red = onBlack(argb shr 16 and 0xFF, alpha)
        val green = onBlack(argb shr 8 and 0xFF, alpha)
        val blue = onBlack(argb and 0xFF, alpha)
        when (color) {
            // ITU-R 601-2 luma in 16 bits, as Pillow rounds it.
            Color.GRAYSCALE -> read[at] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000 shr 16).toByte()
            Color.RGB -> {
                read[at] = red.toByte()
                read[at + 1] = green.toByte()
                read[at + 2] = blue.toByte()
            }
            Color.BGR -> {
                read[at] = blue.toByte()
                read[at + 1] = green.toByte()
                read[at + 2] = red.toByte()
            }
        }
    }

    /** A channel blended onto black: value * alpha / 255, rounded as Pillow's alpha_composite does. */
    private fun onBlack(value: Int, alpha: Int): Int {
        if (alpha == 255) return value
        val blended = value * alpha * 128 + (0x80 shl 7)
        return (blended shr 8) + blended shr 8 shr 7
    }
}

/**
 * One pass of Pillow's bilinear filter for 8 bits, from `source` values to `target`.
 *
 * It widens when it reduces (antialiasing), and its weights are whole numbers of [BITS] bits. Source: Pillow,
 * src/libImaging/Resample.c.
 */
private class Resampler(val source: Int, private val target: Int) {
    private val first = IntArray(target)
    private val count = IntArray(target)
    private val weights: IntArray
    private val most: Int

    init {
        val scale = source.toDouble() / target
        val reach = maxOf(scale, 1.0)
        most = ceil(reach).toInt() * 2 + 1
        weights = IntArray(target * most)
        val real = DoubleArray(most)
        for (i in 0 until target) {
            val center = (i + 0.5) * scale
            first[i] = maxOf((center - reach + 0.5).toInt(), 0)
            count[i] = minOf((center + reach + 0.5).toInt(), source) - first[i]
            var sum = 0.0
            for (k in 0 until count[i]) {
                real[k] = maxOf(1.0 - abs((k + first[i] - center + 0.5) * (1.0 / reach)), 0.0)
                sum += real[k]
            }
            for (k in 0 until count[i]) weights[i * most + k] = (0.5 + real[k] / sum * (1 shl BITS)).toInt()
        }
    }

    /** Scales the line of interleaved channels that begins at `start` into `into`, from `place` on. */
    fun line(from: ByteArray, start: Int, into: ByteArray, place: Int, channels: Int) {
        if (source == target) {
            from.copyInto(into, place, start, start + source * channels)
            return
        }
        var at = place
        for (i in 0 until target) {
            for (channel in 0 until channels) {
                var sum = HALF
                var index = start + first[i] * channels + channel
                for (k in i * most until i * most + count[i]) {
                    sum += (from[index].toInt() and 0xFF) * weights[k]
                    index += channels
                }
                into[at++] = (sum shr BITS).coerceIn(0, 255).toByte()
            }
        }
    }

    /** Scales the columns of rows of `width` bytes. */
    fun columns(from: ByteArray, into: ByteArray, width: Int) {
        if (source == target) {
            from.copyInto(into)
            return
        }
        for (i in 0 until target) {
            for (x in 0 until width) {
                var sum = HALF
                var index = first[i] * width + x
                for (k in i * most until i * most + count[i]) {
                    sum += (from[index].toInt() and 0xFF) * weights[k]
                    index += width
                }
                into[i * width + x] = (sum shr BITS).coerceIn(0, 255).toByte()
            }
        }
    }

    companion object {
        private const val BITS = 32 - 8 - 2
        private const val HALF = 1 shl BITS - 1
    }
}

