package dropkit

/** The rows of a YUV frame. A row of U and V serves two rows, and what it adds to each colour is made once. */
internal class YuvRows(gray: Boolean) : FrameRows(gray) {
    private var frame: YuvFrame? = null
    private var luma = ByteArray(0)
    private var blueish = ByteArray(0)
    private var reddish = ByteArray(0)
    private var red = IntArray(0)
    private var green = IntArray(0)
    private var blue = IntArray(0)
    private var chromaRow = -1

    internal fun begin(frame: YuvFrame, box: FrameBox) {
        this.frame = frame
        begin(box.left, box.width, box.top + box.height)
        chromaRow = -1
        luma = atLeast(luma, frame.y, width)
        val half = chromaWidth()
        blueish = atLeast(blueish, frame.u, half)
        reddish = atLeast(reddish, frame.v, half)
        // Two of each, so that a colour's place is its pixel's.
        if (red.size < 2 * half) {
            red = IntArray(2 * half)
            green = IntArray(2 * half)
            blue = IntArray(2 * half)
        }
    }

    private fun atLeast(array: ByteArray, plane: YuvFrame.Plane, count: Int): ByteArray {
        val length = plane.bytes.length(count, 1).toInt()
        return if (array.size < length) ByteArray(length) else array
    }

    private fun chromaWidth(): Int = (left + width - 1) / 2 - left / 2 + 1

    /** Lets the frame go. */
    internal fun end() {
        frame = null
    }

    override fun read(y: Int, count: Int) {
        val frame = checkNotNull(frame)
        for (row in 0 until count) {
            if ((y + row) / 2 != chromaRow) readChroma(frame, (y + row) / 2)
            frame.y.bytes.read(y + row, left, width, 1, luma)
            pack(frame, row * width)
        }
    }

    private fun readChroma(frame: YuvFrame, row: Int) {
        chromaRow = row
        val count = chromaWidth()
        frame.u.bytes.read(row, left / 2, count, 1, blueish)
        frame.v.bytes.read(row, left / 2, count, 1, reddish)
        val standard = frame.standard
        val base = 0x8000 - standard.black * standard.luma
        var u = 0
        var v = 0
        for (i in 0 until count) {
            val cb = (blueish[u].toInt() and 0xFF) - 128
            val cr = (reddish[v].toInt() and 0xFF) - 128
            u += frame.u.bytes.step
            v += frame.v.bytes.step
            red[2 * i] = base + standard.redV * cr
            red[2 * i + 1] = red[2 * i]
            green[2 * i] = base - standard.greenU * cb - standard.greenV * cr
            green[2 * i + 1] = green[2 * i]
            blue[2 * i] = base + standard.blueU * cb
            blue[2 * i + 1] = blue[2 * i]
        }
    }

    private fun pack(frame: YuvFrame, start: Int) {
        val factor = frame.standard.luma
        val step = frame.y.bytes.step
        val odd = left % 2
        val luma = luma
        val red = red
        val green = green
        val blue = blue
        val colors = colors
        for (x in 0 until width) {
            val light = (luma[x * step].toInt() and 0xFF) * factor
            val r = light + red[x + odd] shr 16
            val g = light + green[x + odd] shr 16
            val b = light + blue[x + odd] shr 16
            colors[start + x] = clamped(r) shl 16 or (clamped(g) shl 8) or clamped(b)
        }
    }

    private fun clamped(value: Int): Int = minOf(maxOf(value, 0), 255)
}
