package dropkit

/**
 * The pass of a [Resampler] across rows, which come from top to bottom: from rows of values to fewer or more of them.
 *
 * It keeps sums of one output row, and of the next, in the halves of a long; or, where it enlarges, the row before. So
 * its memory does not grow with the number of rows.
 */
internal class ColumnPass(private val channels: Int) {
    internal val resampler: Resampler = Resampler()

    /** The output row that [next] has found, [x, channel], 0..255. Only grows. */
    internal var values: IntArray = IntArray(0)
        private set

    /** The number of that row. */
    internal var output: Int = 0
        private set
    private var count = 0
    private var whole = 0 // how many of the resampler's ends were met, or how many outputs were given
    private var sums = LongArray(0)
    private var before = IntArray(0)
    private var current = IntArray(0)

    /** Begins with `source` rows of `width` pixels. */
    internal fun begin(source: Int, target: Int, isReversed: Boolean, width: Int) {
        resampler.set(source, target, isReversed)
        count = width * channels
        whole = 0
        if (values.size < count) values = IntArray(count)
        if (resampler.reduces) {
            if (sums.size < count) sums = LongArray(count)
            sums.fill(0, 0, count)
        } else if (before.size < count) {
            before = IntArray(count)
            current = IntArray(count)
        }
    }

    /** Takes row y, of values [x, channel]. */
    internal fun add(row: IntArray, y: Int) {
        if (resampler.reduces) {
            val pair = resampler.pairs[y]
            val sums = sums
            for (i in 0 until count) sums[i] += row[i] * pair
        } else {
            swap()
            System.arraycopy(row, 0, current, 0, count)
        }
    }

    /** Takes row y, of colours from `start` on, or of gray values. */
    internal fun add(colors: IntArray, start: Int, y: Int) {
        if (channels == 1) {
            addGray(colors, start, y)
        } else if (resampler.reduces) {
            addColors(colors, start, resampler.pairs[y])
        } else {
            swap()
            for (x in 0 until count / 3) {
                val color = colors[start + x]
                current[3 * x] = color shr 16 and 0xFF
                current[3 * x + 1] = color shr 8 and 0xFF
                current[3 * x + 2] = color and 0xFF
            }
        }
    }

    private fun addColors(colors: IntArray, start: Int, pair: Long) {
        val sums = sums
        for (x in 0 until count / 3) {
            val color = colors[start + x]
            sums[3 * x] += (color shr 16 and 0xFF) * pair
            sums[3 * x + 1] += (color shr 8 and 0xFF) * pair
            sums[3 * x + 2] += (color and 0xFF) * pair
        }
    }

    private fun addGray(colors: IntArray, start: Int, y: Int) {
        if (resampler.reduces) {
            val pair = resampler.pairs[y]
            val sums = sums
            for (x in 0 until count) sums[x] += colors[start + x] * pair
        } else {
            swap()
            System.arraycopy(colors, start, current, 0, count)
        }
    }

    private fun swap() {
        val row = before
        before = current
        current = row
    }

    /** Finds the next output row that is whole behind row y; false where there is none. */
    internal fun next(y: Int): Boolean = if (resampler.reduces) reduced(y) else enlarged(y)

    private fun reduced(y: Int): Boolean {
        val target = resampler.target
        while (whole == target || (whole < target && resampler.ends[whole] == y + 1)) {
            shift()
            whole++
            // The first end is where the sums of row 0 begin to be whole.
            if (whole > 1) {
                output = whole - 2
                return true
            }
        }
        return false
    }

    private fun shift() {
        val sums = sums
        val values = values
        for (i in 0 until count) {
            values[i] = Resampler.rounded(sums[i])
            sums[i] = sums[i] ushr 32
        }
    }

    private fun enlarged(y: Int): Boolean {
        if (whole == resampler.target) return false
        val first = resampler.firsts[whole]
        if (minOf(first + 1, resampler.source - 1) > y) return false
        val one = if (first == y) current else before
        val next = current
        val weight = resampler.weights[2 * whole]
        val nextWeight = resampler.weights[2 * whole + 1]
        for (i in 0 until count) {
            values[i] = minOf(one[i] * weight + next[i] * nextWeight + Resampler.HALF ushr Resampler.BITS, 255)
        }
        output = whole++
        return true
    }
}
