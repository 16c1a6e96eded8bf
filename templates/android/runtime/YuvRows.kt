package dropkit

/** The rows of a YUV frame. A row of U and V serves two rows, and what it adds to each colour is made once. */
internal class YuvRows(gray: Boolean) : FrameRows(gray) {
    private var frame: YuvFrame? = null
    private var bytes = ByteArray(0)

    // Whole pairs of pixels: with an odd first column, from the column before.
    private var pairs = 0
    private var light = IntArray(0)
    private var channel = IntArray(0)
    private var red = IntArray(0) // what U and V add to each pixel's red
    private var green = IntArray(0)
    private var blue = IntArray(0)
    private var u = IntArray(0)
    private var v = IntArray(0)
    private var half = IntArray(0)
    private var chromaRow = -1

    internal fun begin(frame: YuvFrame, box: FrameBox) {
        this.frame = frame
        begin(box.left, box.width)
        chromaRow = -1
        pairs = (left + width - 1) / 2 - left / 2 + 1
        val chroma = maxOf(frame.u.bytes.length(pairs, 1), frame.v.bytes.length(pairs, 1))
        val longest = maxOf(frame.y.bytes.length(width, 1), chroma).toInt()
        if (bytes.size < longest) bytes = ByteArray(longest)
        if (u.size >= pairs) return
        u = IntArray(pairs)
        v = IntArray(pairs)
        half = IntArray(pairs)
        light = IntArray(2 * pairs)
        channel = IntArray(2 * pairs)
        red = IntArray(2 * pairs)
        green = IntArray(2 * pairs)
        blue = IntArray(2 * pairs)
    }

    /** Lets the frame go. */
    internal fun end() {
        frame = null
    }

    override fun fill(y: Int) {
        val frame = checkNotNull(frame)
        if (y / 2 != chromaRow) readChroma(frame, y / 2)
        read(frame.y, y, left, width, light)
        if (left % 2 == 1) System.arraycopy(light, 0, light, 1, width)
        add(red, frame.standard.luma)
        System.arraycopy(channel, left % 2, colors, 0, width)
        add(green, frame.standard.luma)
        join()
        add(blue, frame.standard.luma)
        join()
    }

    /** Reads values of a plane's row. */
    private fun read(plane: YuvFrame.Plane, y: Int, first: Int, count: Int, into: IntArray) {
        val bytes = bytes
        val step = plane.bytes.step
        plane.bytes.read(y, first, count, 1, bytes)
        // With a number for the step, the loops need no test of the index.
        when (step) {
            1 -> for (x in 0 until count) into[x] = bytes[x].toInt() and 0xFF
            2 -> for (x in 0 until count) into[x] = bytes[2 * x].toInt() and 0xFF
            else -> for (x in 0 until count) into[x] = bytes[step * x].toInt() and 0xFF
        }
    }

    private fun readChroma(frame: YuvFrame, row: Int) {
        chromaRow = row
        read(frame.u, row, left / 2, pairs, u)
        read(frame.v, row, left / 2, pairs, v)
        val standard = frame.standard
        val base = 0x8000 - standard.black * standard.luma
        spread(0, standard.redV, base, red)
        spread(-standard.greenU, -standard.greenV, base, green)
        spread(standard.blueU, 0, base, blue)
    }

    /** Fills `into` with what U and V add to a colour, for both pixels of each pair. */
    private fun spread(factorU: Int, factorV: Int, base: Int, into: IntArray) {
        val u = u
        val v = v
        val half = half
        val start = base - 128 * (factorU + factorV)
        for (i in 0 until pairs) half[i] = u[i] * factorU + v[i] * factorV + start
        for (i in 0 until pairs) {
            into[2 * i] = half[i]
            into[2 * i + 1] = half[i]
        }
    }

    /** Makes one colour of the row: clamped to 0..255 without a comparison, which would stop vector instructions. */
    private fun add(part: IntArray, luma: Int) {
        val light = light
        val channel = channel
        for (x in 0 until 2 * pairs) {
            val sum = light[x] * luma + part[x] shr 16
            val positive = sum and (sum shr 31).inv()
            val above = 255 - positive
            channel[x] = positive + (above and (above shr 31))
        }
    }

    private fun join() {
        val colors = colors
        val channel = channel
        if (left % 2 == 1) System.arraycopy(channel, 1, channel, 0, width)
        for (x in 0 until width) colors[x] = colors[x] shl 8 or channel[x]
    }
}
