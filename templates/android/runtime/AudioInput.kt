package dropkit

private const val LOWEST_RATE = 1000
private const val HIGHEST_RATE = 768_000
private const val MOST_CHANNELS = 64

/**
 * Turns sound into the samples that the model takes, as the bundle's own audio.py does: one channel, its rate, one window.
 *
 * @param rate samples a second that the model takes.
 * @param window samples that a call takes.
 */
internal class AudioInput(val rate: Int, val window: Int) {
    /** What the last sound became, -1 to 1: the first window of it, zeros behind its end. */
    val values: FloatArray = FloatArray(window)
    private val block = FloatArray(RateConverter.BLOCK)
    private var converted = FloatArray(0)
    private var converter: RateConverter? = null
    private var source = 0

    fun load(samples: ShortArray, rate: Int, channels: Int) {
        val frames = frames(samples.size, rate, channels)
        load(frames, rate) { start, count -> mix(samples, start, count, channels, block) }
    }

    fun load(samples: FloatArray, rate: Int, channels: Int) {
        val frames = frames(samples.size, rate, channels)
        load(frames, rate) { start, count -> mix(samples, start, count, channels, block) }
    }

    private inline fun load(frames: Int, from: Int, mix: (start: Int, count: Int) -> Unit) {
        val converter = converterOf(from)
        val wanted = minOf(window.toLong(), (frames.toLong() * rate + from - 1) / from).toInt()
        var made = 0
        var start = 0
        while (made < wanted) {
            val count = minOf(RateConverter.BLOCK, frames - start).coerceAtLeast(0)
            mix(start, count)
            // Behind the end is silence.
            if (count < RateConverter.BLOCK) block.fill(0f, count)
            start += RateConverter.BLOCK
            made = keep(converter, made, wanted)
        }
        values.fill(0f, wanted)
    }

    private fun keep(converter: RateConverter?, made: Int, wanted: Int): Int {
        val from = if (converter == null) block else converted
        val count = converter?.convert(block, RateConverter.BLOCK, converted) ?: RateConverter.BLOCK
        from.copyInto(values, made, 0, minOf(count, wanted - made))
        return made + minOf(count, wanted - made)
    }

    private fun converterOf(from: Int): RateConverter? {
        if (from == rate) return null
        val same = converter.takeIf { source == from }?.also { it.reset() }
        return same ?: RateConverter(from, rate).also {
            converted = FloatArray(it.most(RateConverter.BLOCK))
            converter = it
            source = from
        }
    }

    internal companion object {
        /** Returns how many frames so many samples are, once all of it is what sound can be. */
        fun frames(samples: Int, rate: Int, channels: Int): Int {
            require(rate in LOWEST_RATE..HIGHEST_RATE) { "a rate of $rate is none from $LOWEST_RATE to $HIGHEST_RATE samples a second" }
            require(channels in 1..MOST_CHANNELS) { "$channels channels: give 1 to $MOST_CHANNELS" }
            require(samples % channels == 0) { "$samples samples are no whole frames of $channels channels" }
            return samples / channels
        }

        /** Fills `into` with the mean of the channels of `count` frames from `start` on. */
        fun mix(samples: ShortArray, start: Int, count: Int, channels: Int, into: FloatArray) {
            var at = start * channels
            for (frame in 0 until count) {
                var total = 0.0
                for (channel in 0 until channels) total += samples[at++] / 32768.0
                into[frame] = (total / channels).toFloat()
            }
        }

        fun mix(samples: FloatArray, start: Int, count: Int, channels: Int, into: FloatArray) {
            var at = start * channels
            for (frame in 0 until count) {
                var total = 0.0
                for (channel in 0 until channels) total += samples[at++].toDouble()
                into[frame] = (total / channels).toFloat()
            }
        }
    }
}
