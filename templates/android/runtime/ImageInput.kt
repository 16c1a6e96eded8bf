package dropkit

import android.graphics.Bitmap

internal enum class ImageColor(internal val channels: Int) { GRAYSCALE(1), RGB(3), BGR(3) }

/**
 * Turns images and camera frames into the pixels of one input, as the bundle's own preprocess.py does with Pillow: byte
 * for byte. In this order: turned clockwise, mirrored (left and right exchanged), cut to the region, transparent parts
 * over black, colours, resized.
 *
 * A frame is read row by row, as it lies, and resampled on the way: memory does not grow with its height, and a frame
 * of a size that was seen before makes no garbage. For one thread at a time.
 *
 * @param pad of [ImageResize.LETTERBOX], 0..255: red, green and blue, or one value for all channels.
 */
internal class ImageInput(
    private val width: Int,
    private val height: Int,
    private val color: ImageColor,
    resize: ImageResize,
    private val pad: IntArray = intArrayOf(0),
) {
    /** [height, width, channels], 0..255. */
    internal val pixels: ByteArray = ByteArray(height * width * color.channels)

    /**
     * (a, b, c, d, e, f) of the last frame: a point x, y of the model's image, from 0 to 1 across and down, is in the
     * frame, as it was given, at (a * x + b * y + c, d * x + e * y + f), in pixels from its left and top edge.
     */
    internal val placement: DoubleArray get() = layout.placement

    private val layout = FrameLayout(width, height, resize)
    private val bitmaps = BitmapRows(color == ImageColor.GRAYSCALE)
    private val yuvs = YuvRows(color == ImageColor.GRAYSCALE)
    private val rgbas = RgbaRows(color == ImageColor.GRAYSCALE)
    private val rowPass = RowPass(color.channels)
    private val columnPass = ColumnPass()
    private val padded = FrameBox() // what of `pixels` is no pad

    // Where an output of the passes belongs in `pixels`.
    private var origin = 0
    private var across = 0
    private var down = 0

    /** Fills [pixels]. A hardware bitmap is copied first. */
    internal fun load(bitmap: Bitmap, rotationDegrees: Int = 0, mirror: Boolean = false, region: Region? = null) {
        check(!bitmap.isRecycled) { "the bitmap is recycled: give it before" }
        layout.set(bitmap.width, bitmap.height, rotationDegrees, mirror, region)
        val readable = readable(bitmap)
        try {
            bitmaps.begin(readable, layout.source)
            run(bitmaps)
        } finally {
            bitmaps.end()
            if (readable !== bitmap) readable.recycle()
        }
    }

    /** Fills [pixels]. */
    internal fun load(frame: Frame, rotationDegrees: Int = 0, mirror: Boolean = false, region: Region? = null) {
        layout.set(frame.width, frame.height, rotationDegrees, mirror, region)
        synchronized(frame) {
            try {
                run(begun(frame))
            } finally {
                yuvs.end()
                rgbas.end()
            }
        }
    }

    private fun begun(frame: Frame): FrameRows = when (frame) {
        is YuvFrame -> yuvs.also { it.begin(frame, layout.source) }
        is RgbaFrame -> rgbas.also { it.begin(frame, layout.source) }
    }

    private fun readable(bitmap: Bitmap): Bitmap {
        // By its name: an Android before 8.0 has no such constant.
        if (bitmap.config?.name != "HARDWARE") return bitmap
        return checkNotNull(bitmap.copy(Bitmap.Config.ARGB_8888, false)) {
            "the hardware bitmap cannot be copied: give one in ARGB_8888"
        }
    }

    private fun run(rows: FrameRows) {
        val source = layout.source
        val target = layout.target
        val isTransposed = layout.isTransposed
        fillPad(target)
        startWriting(target)
        val wide = if (isTransposed) target.height else target.width
        val high = if (isTransposed) target.width else target.height
        val boxWidth = if (isTransposed) source.height else source.width
        val boxHeight = if (isTransposed) source.width else source.height
        // Each pass rounds, so their order counts: it is Pillow's since version 13, of the turned image.
        val downFirst = boxHeight > target.height && boxHeight - target.height > 2 * (boxWidth - target.width)
        rowPass.set(source.width, wide, layout.isReversedAcross)
        if (downFirst == isTransposed) rowsFirst(rows, wide, high) else columnsFirst(rows, wide, high)
    }

    private fun rowsFirst(rows: FrameRows, wide: Int, high: Int) {
        val source = layout.source
        columnPass.begin(source.height, high, layout.isReversedDown, wide * color.channels, 1)
        for (y in 0 until source.height) {
            rows.read(source.top + y)
            rowPass.run(rows.colors)
            columnPass.add(rowPass.values, y)
            while (columnPass.next(y)) write(columnPass.row, columnPass.output, wide)
        }
    }

    private fun columnsFirst(rows: FrameRows, wide: Int, high: Int) {
        val source = layout.source
        columnPass.begin(source.height, high, layout.isReversedDown, source.width, color.channels)
        for (y in 0 until source.height) {
            rows.read(source.top + y)
            columnPass.add(rows.colors, y)
            while (columnPass.next(y)) {
                rowPass.run(columnPass.row)
                write(rowPass.values, columnPass.output, wide)
            }
        }
    }

    private fun fillPad(target: FrameBox) {
        if (padded.isSame(target)) return
        padded.set(target.left, target.top, target.width, target.height)
        if (target.width == width && target.height == height) return
        for (i in pixels.indices) {
            val channel = i % color.channels
            val place = if (color == ImageColor.BGR) 2 - channel else channel
            pixels[i] = pad[if (pad.size == 1) 0 else place].toByte()
        }
    }

    private fun startWriting(target: FrameBox) {
        val pixel = color.channels
        val row = width * color.channels
        val isTransposed = layout.isTransposed
        across = if (isTransposed) row else pixel
        down = if (isTransposed) pixel else row
        origin = target.top * row + target.left * pixel
        if (layout.isReversedAcross) {
            origin += across * ((if (isTransposed) target.height else target.width) - 1)
            across = -across
        }
        if (layout.isReversedDown) {
            origin += down * ((if (isTransposed) target.width else target.height) - 1)
            down = -down
        }
    }

    /** Puts an output row of the passes, values [x, channel], where it belongs in [pixels]. */
    private fun write(values: IntArray, output: Int, count: Int) {
        var at = origin + output * down
        if (color.channels == 1) {
            for (x in 0 until count) {
                pixels[at] = values[x].toByte()
                at += across
            }
            return
        }
        val first = if (color == ImageColor.BGR) 2 else 0
        for (x in 0 until count) {
            pixels[at + first] = values[3 * x].toByte()
            pixels[at + 1] = values[3 * x + 1].toByte()
            pixels[at + 2 - first] = values[3 * x + 2].toByte()
            at += across
        }
    }
}
