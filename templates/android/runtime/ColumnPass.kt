package dropkit

/**
 * The pass of a [Resampler] across rows, which come from top to bottom: from rows to fewer or more of them.
 *
 * It keeps the sums of one output row and of the next; or, where it enlarges, the row before. So its memory does not
 * grow with the number of rows.
 */
internal class ColumnPass {
    internal val resampler: Resampler = Resampler()

    /** The output row that [next] has found, as the rows are: values 0..255, or colours of three planes. Only grows. */
    internal var row: IntArray = IntArray(0)
        private set

    /** The number of that row. */
    internal var output: Int = 0
        private set
    private var count = 0
    private var planes = 1
    private var found = 0 // how many ends the rows have met; or, enlarging, how many outputs there were
    private var sums = Array(3) { IntArray(0) }
    private var nextSums = Array(3) { IntArray(0) }
    private var before = IntArray(0)
    private var current = IntArray(0)

    /** Begins with `source` rows of `count` numbers: values 0..255 in one plane, or 0xRRGGBB in three. */
    internal fun begin(source: Int, target: Int, isReversed: Boolean, count: Int, planes: Int) {
        resampler.set(source, target, isReversed)
        this.count = count
        this.planes = planes
        found = 0
        if (row.size < count) row = IntArray(count)
        if (resampler.reduces) {
            for (plane in 0 until planes) {
                if (sums[plane].size < count) sums[plane] = IntArray(count)
                if (nextSums[plane].size < count) nextSums[plane] = IntArray(count)
                sums[plane].fill(0, 0, count)
                nextSums[plane].fill(0, 0, count)
            }
        } else if (before.size < count) {
            before = IntArray(count)
            current = IntArray(count)
        }
    }

    /** Takes row y. */
    internal fun add(row: IntArray, y: Int) {
        if (resampler.reduces) {
            val pair = resampler.pairs[y]
            for (plane in 0 until planes) {
                add(row, shift(plane), pair.toInt(), sums[plane])
                add(row, shift(plane), (pair ushr 32).toInt(), nextSums[plane])
            }
        } else {
            val oldest = before
            before = current
            current = oldest
            System.arraycopy(row, 0, current, 0, count)
        }
    }

    private fun shift(plane: Int): Int = 8 * (planes - 1 - plane)

    private fun add(row: IntArray, shift: Int, weight: Int, sums: IntArray) {
        if (weight == 0) return
        for (i in 0 until count) sums[i] += (row[i] ushr shift and 0xFF) * weight
    }

    /** Finds the next output row that is whole behind row y; false where there is none. */
    internal fun next(y: Int): Boolean = if (resampler.reduces) nextReduced(y) else nextEnlarged(y)

    private fun nextReduced(y: Int): Boolean {
        val target = resampler.target
        while (found == target || (found < target && resampler.ends[found] == y + 1)) {
            // At the first end, nothing is whole yet: from there on the sums of output 0 are the older ones.
            if (found > 0) round()
            advance()
            output = found++ - 1
            if (output >= 0) return true
        }
        return false
    }

    private fun round() {
        val row = row
        row.fill(0, 0, count)
        for (plane in 0 until planes) {
            val sums = sums[plane]
            for (i in 0 until count) row[i] = row[i] shl 8 or Resampler.rounded(sums[i])
        }
    }

    private fun advance() {
        val oldest = sums
        sums = nextSums
        nextSums = oldest
        for (plane in 0 until planes) nextSums[plane].fill(0, 0, count)
    }

    private fun nextEnlarged(y: Int): Boolean {
        if (found == resampler.target) return false
        val first = resampler.firsts[found]
        if (minOf(first + 1, resampler.source - 1) > y) return false
        val one = if (first == y) current else before
        row.fill(0, 0, count)
        val weight = resampler.weights[2 * found]
        val nextWeight = resampler.weights[2 * found + 1]
        for (plane in 0 until planes) mix(one, shift(plane), weight, nextWeight)
        output = found++
        return true
    }

    private fun mix(one: IntArray, shift: Int, weight: Int, nextWeight: Int) {
        val row = row
        val next = current
        for (i in 0 until count) {
            val sum = (one[i] ushr shift and 0xFF) * weight + (next[i] ushr shift and 0xFF) * nextWeight
            row[i] = row[i] shl 8 or Resampler.rounded(sum)
        }
    }
}
