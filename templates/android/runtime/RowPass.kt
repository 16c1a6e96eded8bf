package dropkit

/** The pass of a [Resampler] along a row: from colours to the values of a smaller or larger row, [x, channel]. */
internal class RowPass(private val channels: Int) {
    internal val resampler: Resampler = Resampler()

    /** [target, channels], 0..255; of colours always red, green, blue. Only grows. */
    internal var values: IntArray = IntArray(0)
        private set

    internal fun set(source: Int, target: Int, isReversed: Boolean) {
        resampler.set(source, target, isReversed)
        if (values.size < target * channels) values = IntArray(target * channels)
    }

    /** Fills [values] from colours, or from the values of a gray row. */
    internal fun run(colors: IntArray) {
        when {
            channels == 1 && resampler.reduces -> reduceGray(colors)
            channels == 1 -> enlargeGray(colors)
            resampler.reduces -> reduce(colors)
            else -> enlarge(colors)
        }
    }

    private fun reduce(colors: IntArray) {
        val pairs = resampler.pairs
        val ends = resampler.ends
        val values = values
        var red = 0L
        var green = 0L
        var blue = 0L
        var x = 0
        for (output in 0 until resampler.target) {
            val end = ends[output]
            while (x < end) {
                val color = colors[x]
                val pair = pairs[x++]
                red += (color shr 16 and 0xFF) * pair
                green += (color shr 8 and 0xFF) * pair
                blue += (color and 0xFF) * pair
            }
            if (output > 0) put(values, 3 * (output - 1), red, green, blue)
            red = red ushr 32
            green = green ushr 32
            blue = blue ushr 32
        }
        put(values, 3 * (resampler.target - 1), red, green, blue)
    }

    private fun put(values: IntArray, at: Int, red: Long, green: Long, blue: Long) {
        values[at] = Resampler.rounded(red.toInt())
        values[at + 1] = Resampler.rounded(green.toInt())
        values[at + 2] = Resampler.rounded(blue.toInt())
    }

    private fun reduceGray(colors: IntArray) {
        val pairs = resampler.pairs
        val ends = resampler.ends
        var sums = 0L
        var x = 0
        for (output in 0 until resampler.target) {
            val end = ends[output]
            while (x < end) sums += colors[x] * pairs[x++]
            if (output > 0) values[output - 1] = Resampler.rounded(sums.toInt())
            sums = sums ushr 32
        }
        values[resampler.target - 1] = Resampler.rounded(sums.toInt())
    }

    private fun enlarge(colors: IntArray) {
        val weights = resampler.weights
        for (output in 0 until resampler.target) {
            val first = resampler.firsts[output]
            val one = colors[first]
            val next = colors[minOf(first + 1, resampler.source - 1)]
            val w = weights[2 * output]
            val v = weights[2 * output + 1]
            values[3 * output] = mixed(one shr 16 and 0xFF, w, next shr 16 and 0xFF, v)
            values[3 * output + 1] = mixed(one shr 8 and 0xFF, w, next shr 8 and 0xFF, v)
            values[3 * output + 2] = mixed(one and 0xFF, w, next and 0xFF, v)
        }
    }

    private fun enlargeGray(colors: IntArray) {
        val weights = resampler.weights
        for (output in 0 until resampler.target) {
            val first = resampler.firsts[output]
            val next = colors[minOf(first + 1, resampler.source - 1)]
            values[output] = mixed(colors[first], weights[2 * output], next, weights[2 * output + 1])
        }
    }

    private fun mixed(one: Int, weight: Int, next: Int, nextWeight: Int): Int =
        Resampler.rounded(one * weight + next * nextWeight)
}
