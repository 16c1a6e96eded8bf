package dropkit

import kotlin.math.abs
import kotlin.math.ceil

/**
 * One pass of Pillow's bilinear filter for 8 bits, along one axis, from `source` values to `target`.
 *
 * It widens when it reduces (antialiasing), and its weights are whole numbers of 22 bits. Then each value goes into two
 * outputs at most, which lie side by side: [pairs] has both weights, and one multiplication makes both products. When
 * it enlarges, each output takes two values at most. Source: Pillow, src/libImaging/Resample.c.
 */
internal class Resampler {
    internal var source: Int = 0
        private set
    internal var target: Int = 0
        private set
    private var isReversed = false

    /** Whether each value goes into outputs; else each output takes values. */
    internal val reduces: Boolean get() = source >= target

    /** Reducing: of each value, the weight in output i - 1 in the lower half and that in i in the upper half. */
    internal var pairs: LongArray = LongArray(0)
        private set

    /** Reducing: where the values end whose second output is i. Output i - 1 is whole there. */
    internal var ends: IntArray = IntArray(0)
        private set

    /** Enlarging: of each output, its first value; the other is the next one, where there is one. */
    internal var firsts: IntArray = IntArray(0)
        private set

    /** Enlarging: of each output, the weights of the two. */
    internal var weights: IntArray = IntArray(0)
        private set
    private var real = DoubleArray(0)

    /** Makes the tables anew where the sizes are others. Reversed: values come from the last one on, outputs too. */
    internal fun set(source: Int, target: Int, isReversed: Boolean) {
        if (source == this.source && target == this.target && isReversed == this.isReversed) return
        this.source = source
        this.target = target
        this.isReversed = isReversed
        grow()
        val scale = source.toDouble() / target
        val reach = maxOf(scale, 1.0)
        for (output in 0 until target) {
            val center = ((if (isReversed) target - 1 - output else output) + 0.5) * scale
            val first = maxOf((center - reach + 0.5).toInt(), 0)
            val count = minOf((center + reach + 0.5).toInt(), source) - first
            val sum = weigh(center, reach, first, count)
            if (reduces) reduce(output, first, count, sum) else enlarge(output, first, count, sum)
        }
        if (reduces) ends[target - 1] = source
    }

    private fun grow() {
        val most = ceil(maxOf(source.toDouble() / target, 1.0)).toInt() * 2 + 1
        if (real.size < most) real = DoubleArray(most)
        if (reduces) {
            if (pairs.size < source) pairs = LongArray(source)
            pairs.fill(0, 0, source)
            if (ends.size < target) ends = IntArray(target)
        } else {
            if (firsts.size < target) firsts = IntArray(target)
            if (weights.size < 2 * target) weights = IntArray(2 * target)
        }
    }

    /** Fills [real] with an output's weights, and returns their sum. */
    private fun weigh(center: Double, reach: Double, first: Int, count: Int): Double {
        var sum = 0.0
        for (k in 0 until count) {
            real[k] = maxOf(1.0 - abs((k + first - center + 0.5) * (1.0 / reach)), 0.0)
            sum += real[k]
        }
        return sum
    }

    private fun whole(k: Int, sum: Double): Int = (0.5 + real[k] / sum * (1 shl BITS)).toInt()

    private fun reduce(output: Int, first: Int, count: Int, sum: Double) {
        var begin = source
        for (k in 0 until count) {
            val weight = whole(k, sum)
            if (weight == 0) continue
            val value = if (isReversed) source - 1 - first - k else first + k
            pairs[value] = (weight.toLong() shl 32) or (pairs[value] ushr 32)
            begin = minOf(begin, value)
        }
        if (output > 0) ends[output - 1] = begin
    }

    private fun enlarge(output: Int, first: Int, count: Int, sum: Double) {
        var k = 0
        while (k < count - 1 && whole(k, sum) == 0) k++
        val one = whole(k, sum)
        val next = if (k + 1 < count) whole(k + 1, sum) else 0
        val isTurned = isReversed && next != 0
        firsts[output] = if (isReversed) source - 1 - first - k - (if (isTurned) 1 else 0) else first + k
        weights[2 * output] = if (isTurned) next else one
        weights[2 * output + 1] = if (isTurned) one else next
    }

    internal companion object {
        private const val BITS = 32 - 8 - 2
        private const val HALF = 1 shl BITS - 1

        /** Rounds a sum of values times weights. */
        internal fun rounded(sum: Int): Int = minOf(sum + HALF ushr BITS, 255)
    }
}
