package dropkit

import android.graphics.Bitmap

/**
 * The rows of a frame, as it lies, as colours.
 *
 * Here and in the passes, loops do one thing to whole arrays from index 0 on: the JVM makes vector instructions of such
 * loops, and of others it does not.
 */
internal abstract class FrameRows(private val gray: Boolean) {
    /** The row that was read: 0xRRGGBB with anything above, or of a gray model 0..255. Only grows. */
    internal var colors: IntArray = IntArray(0)
        private set
    protected var left: Int = 0
        private set
    protected var width: Int = 0
        private set
    private var sums = IntArray(0)

    /** Begins with the columns left until left + width. */
    protected fun begin(left: Int, width: Int) {
        this.left = left
        this.width = width
        if (colors.size < width) colors = IntArray(width)
        if (gray && sums.size < width) sums = IntArray(width)
    }

    /** Fills [colors] with row y. Rows come from top to bottom. */
    internal fun read(y: Int) {
        fill(y)
        if (gray) toGray()
    }

    /** Fills [colors] with row y, 0xRRGGBB with anything above. */
    protected abstract fun fill(y: Int)

    /** Makes of colours their ITU-R 601-2 luma in 16 bits, as Pillow rounds it. */
    private fun toGray() {
        val colors = colors
        val sums = sums
        for (x in 0 until width) sums[x] = (colors[x] shr 16 and 0xFF) * 19595 + 0x8000
        for (x in 0 until width) sums[x] += (colors[x] shr 8 and 0xFF) * 38470
        for (x in 0 until width) sums[x] += (colors[x] and 0xFF) * 7471
        for (x in 0 until width) colors[x] = sums[x] shr 16
    }
}

internal class BitmapRows(gray: Boolean) : FrameRows(gray) {
    private var bitmap: Bitmap? = null
    private var isOpaque = false
    private var some = IntArray(0) // rows from `first` on, as each call of a bitmap takes its time
    private var first = 0
    private var count = 0
    private var bottom = 0

    internal fun begin(bitmap: Bitmap, box: FrameBox) {
        this.bitmap = bitmap
        isOpaque = !bitmap.hasAlpha()
        begin(box.left, box.width)
        bottom = box.top + box.height
        count = 0
        if (some.size < width) some = IntArray(maxOf(width, SOME))
    }

    /** Lets the bitmap go. */
    internal fun end() {
        bitmap = null
    }

    override fun fill(y: Int) {
        if (count == 0 || y - first >= count) readSome(y)
        System.arraycopy(some, (y - first) * width, colors, 0, width)
        if (!isOpaque && alphas() != 0xFF) toBlack()
    }

    private fun readSome(y: Int) {
        first = y
        count = minOf(bottom - y, some.size / width)
        checkNotNull(bitmap).getPixels(some, 0, width, left, y, width, count)
    }

    /** All alphas of the row, bit by bit. */
    private fun alphas(): Int {
        val colors = colors
        var all = -1
        for (x in 0 until width) all = all and colors[x]
        return all ushr 24
    }

    /** Blends onto black: value * alpha / 255, rounded as Pillow's alpha_composite does. */
    private fun toBlack() {
        val colors = colors
        for (x in 0 until width) {
            val color = colors[x]
            val alpha = color ushr 24
            val red = blended(color shr 16 and 0xFF, alpha)
            colors[x] = red shl 16 or (blended(color shr 8 and 0xFF, alpha) shl 8) or blended(color and 0xFF, alpha)
        }
    }

    private fun blended(value: Int, alpha: Int): Int {
        val product = value * alpha + 0x80
        return (product shr 8) + product shr 8
    }

    private companion object {
        private const val SOME = 1 shl 13 // pixels: they stay in the first cache
    }
}

internal class RgbaRows(gray: Boolean) : FrameRows(gray) {
    private var frame: RgbaFrame? = null
    private var line = ByteArray(0)

    internal fun begin(frame: RgbaFrame, box: FrameBox) {
        this.frame = frame
        begin(box.left, box.width)
        if (line.size < 4 * box.width) line = ByteArray(4 * box.width)
    }

    /** Lets the frame go. */
    internal fun end() {
        frame = null
    }

    override fun fill(y: Int) {
        checkNotNull(frame).bytes.read(y, left, width, 3, line)
        val line = line
        val colors = colors
        for (x in 0 until width) {
            val red = line[4 * x].toInt() and 0xFF
            val green = line[4 * x + 1].toInt() and 0xFF
            colors[x] = red shl 16 or (green shl 8) or (line[4 * x + 2].toInt() and 0xFF)
        }
    }
}
