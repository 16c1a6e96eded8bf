package dropkit

import android.graphics.Bitmap

/** The rows of a frame, as it lies, as colours: 0xRRGGBB, or 0..255 for gray; upper bits may hold anything but for gray. */
internal abstract class FrameRows(private val gray: Boolean) {
    internal var left: Int = 0
        private set
    internal var width: Int = 0
        private set
    private var bottom = 0
    private var first = 0 // of the rows in `colors`
    private var count = 0

    /** Colours of some rows, of `width` each; only grows. */
    internal var colors: IntArray = IntArray(0)
        private set

    /** Begins with columns left until left + width, of the rows above bottom. */
    protected fun begin(left: Int, width: Int, bottom: Int) {
        this.left = left
        this.width = width
        this.bottom = bottom
        first = 0
        count = 0
        if (colors.size < width) colors = IntArray(maxOf(width, SOME))
    }

    /** Reads row y where it is not there; returns where its colours begin in [colors]. Rows come from top to bottom. */
    internal fun row(y: Int): Int {
        if (y - first >= count) {
            first = y
            count = minOf(bottom - y, maxOf(1, minOf(colors.size, SOME) / width))
            read(y, count)
            if (gray) grayed(count * width)
        }
        return (y - first) * width
    }

    /** Fills [colors] with `count` rows from y on. */
    protected abstract fun read(y: Int, count: Int)

    /** Makes of colours their ITU-R 601-2 luma in 16 bits, as Pillow rounds it. */
    private fun grayed(size: Int) {
        val colors = colors
        for (i in 0 until size) {
            val color = colors[i]
            val sum = (color shr 16 and 0xFF) * 19595 + (color shr 8 and 0xFF) * 38470 + (color and 0xFF) * 7471
            colors[i] = sum + 0x8000 shr 16
        }
    }

    private companion object {
        private const val SOME = 1 shl 13 // pixels in one go: they stay in the first cache
    }
}

internal class BitmapRows(gray: Boolean) : FrameRows(gray) {
    private var bitmap: Bitmap? = null

    internal fun begin(bitmap: Bitmap, box: FrameBox) {
        this.bitmap = bitmap
        begin(box.left, box.width, box.top + box.height)
    }

    /** Lets the bitmap go. */
    internal fun end() {
        bitmap = null
    }

    override fun read(y: Int, count: Int) {
        val bitmap = checkNotNull(bitmap)
        bitmap.getPixels(colors, 0, width, left, y, width, count)
        if (bitmap.hasAlpha() && !isOpaque(count * width)) onBlack(count * width)
    }

    private fun isOpaque(size: Int): Boolean {
        val colors = colors
        var all = -1
        for (i in 0 until size) all = all and colors[i]
        return all ushr 24 == 0xFF
    }

    /** Blends onto black: value * alpha / 255, rounded as Pillow's alpha_composite does. */
    private fun onBlack(size: Int) {
        val colors = colors
        for (i in 0 until size) {
            val color = colors[i]
            val alpha = color ushr 24
            val red = (color shr 16 and 0xFF) * alpha + 0x80
            val green = (color shr 8 and 0xFF) * alpha + 0x80
            val blue = (color and 0xFF) * alpha + 0x80
            colors[i] = ((red shr 8) + red shr 8 shl 16) or ((green shr 8) + green shr 8 shl 8) or ((blue shr 8) + blue shr 8)
        }
    }
}

internal class RgbaRows(gray: Boolean) : FrameRows(gray) {
    private var frame: RgbaFrame? = null
    private var line = ByteArray(0)

    internal fun begin(frame: RgbaFrame, box: FrameBox) {
        this.frame = frame
        begin(box.left, box.width, box.top + box.height)
        if (line.size < 4 * box.width) line = ByteArray(4 * box.width)
    }

    /** Lets the frame go. */
    internal fun end() {
        frame = null
    }

    override fun read(y: Int, count: Int) {
        val bytes = checkNotNull(frame).bytes
        for (row in 0 until count) {
            bytes.read(y + row, left, width, 3, line)
            pack(row * width)
        }
    }

    private fun pack(start: Int) {
        val line = line
        val colors = colors
        for (x in 0 until width) {
            val red = line[4 * x].toInt() and 0xFF
            val green = line[4 * x + 1].toInt() and 0xFF
            colors[start + x] = red shl 16 or (green shl 8) or (line[4 * x + 2].toInt() and 0xFF)
        }
    }
}
