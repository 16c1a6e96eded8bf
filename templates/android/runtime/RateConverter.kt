package dropkit

import kotlin.math.abs

private const val CROSSINGS = 32
private const val CUT = 16
private const val BETA = 8.0
private const val MOST_WEIGHTS = 1 shl 20
private const val SINE_TERMS = 12
private const val BESSEL_TERMS = 32

/**
 * Turns sound of one rate into another's, block by block, as the bundle's own audio.py does it at once: the same filter
 * by the same operations in the same order, so that no bit is another.
 */
internal class RateConverter(from: Int, to: Int) {
    private val up: Int
    private val down: Int

    /** How many samples the filter reads to each side of a point: what comes out is behind by as many. */
    val half: Int
    private val taps: Int
    private val weights: DoubleArray
    private val block: FloatArray
    private var filled = 0
    private var first = 0
    private var phase = 0

    init {
        val common = greatestCommonDivisor(from, to)
        up = to / common
        down = from / common
        val crossings = CROSSINGS.toLong() * CUT * maxOf(up, down)
        val width = (CUT - 1L) * up
        half = ((crossings + width - 1) / width).toInt()
        taps = 2 * half
        require(taps.toLong() * up <= MOST_WEIGHTS) {
            "$from to $to samples a second are as $down to $up, and no filter is that fine: give a usual rate"
        }
        weights = weights()
        block = FloatArray(taps + BLOCK)
        reset()
    }

    /** Forgets what came before: silence. */
    fun reset() {
        block.fill(0f, 0, half - 1)
        filled = half - 1
        first = 0
        phase = 0
    }

    /** How many samples [convert] gives at most for so many. */
    fun most(count: Int): Int = ((count.toLong() + taps) * up / down + 1).toInt()

    /** Takes the first `count` samples, [BLOCK] at most, fills `into`, and returns how many it has become. */
    fun convert(samples: FloatArray, count: Int, into: FloatArray): Int {
        samples.copyInto(block, filled, 0, count)
        filled += count
        var made = 0
        while (first + taps <= filled) {
            into[made++] = sample()
            phase += down
            first += phase / up
            phase %= up
        }
        val used = minOf(first, filled)
        block.copyInto(block, 0, used, filled)
        filled -= used
        first -= used
        return made
    }

    private fun sample(): Float {
        var total = 0.0
        val start = phase * taps
        for (tap in 0 until taps) total += weights[start + tap] * block[first + tap].toDouble()
        return total.toFloat()
    }

    private fun weights(): DoubleArray {
        val made = DoubleArray(up * taps)
        val below = CUT.toLong() * maxOf(up, down)
        for (turn in 0 until up) {
            var total = 0.0
            for (tap in 0 until taps) {
                val above = (CUT - 1) * (turn - (tap - (half - 1)).toLong() * up)
                val weight = sinc(above, below) * kaiser(above / (below * CROSSINGS).toDouble())
                made[turn * taps + tap] = weight
                total += weight
            }
            for (tap in 0 until taps) made[turn * taps + tap] /= total
        }
        return made
    }

    internal companion object {
        /** Samples that [convert] takes at once. */
        const val BLOCK: Int = 1024

        private fun greatestCommonDivisor(one: Int, other: Int): Int = if (other == 0) one else greatestCommonDivisor(other, one % other)

        /** sin(pi x) / (pi x) of x = above / below. The JVM's own sine may be another in the last bit. */
        private fun sinc(above: Long, below: Long): Double {
            if (above == 0L) return 1.0
            var turned = abs(above) % (2 * below)
            val sign = if (turned > below) -1.0 else 1.0
            if (turned > below) turned -= below
            if (2 * turned > below) turned = below - turned
            val angle = Math.PI * (turned / below.toDouble())
            var term = angle
            var sine = angle
            for (k in 1 until SINE_TERMS) {
                term = term * (angle * angle) / -(2 * k * (2 * k + 1)).toDouble()
                sine += term
            }
            return sign * sine / (Math.PI * (abs(above) / below.toDouble()))
        }

        /** The window: a Bessel function by its power series, 0 beyond 1. */
        private fun kaiser(x: Double): Double {
            if (abs(x) >= 1.0) return 0.0
            val square = BETA * BETA / 4.0 * (1.0 - x * x)
            var term = 1.0
            var total = 1.0
            for (k in 1 until BESSEL_TERMS) {
                term = term * square / (k * k).toDouble()
                total += term
            }
            return total
        }
    }
}
