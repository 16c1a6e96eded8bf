package dropkit

/** Takes what the model gives for one window of a stream. */
public fun interface WindowListener<T> {
    /**
     * @param outputs the stream's own, filled anew for the next window: copy what is kept.
     * @param seconds from the stream's start to the window's.
     */
    public fun onWindow(outputs: T, seconds: Double)
}

/**
 * Sound as it comes, of any length a time: the model is called as soon as a window is full, and then once every hop.
 *
 * It allocates nothing once it is made. One thread at a time may feed it, the model's calls run on that thread.
 */
public class AudioStream<T> internal constructor(
    private val input: AudioInput,
    rate: Int,
    private val channels: Int,
    private val hop: Int,
    private val listener: WindowListener<T>,
    private val run: (FloatArray) -> T,
) {
    init {
        AudioInput.frames(0, rate, channels)
        require(hop in 1..input.window) { "a hop of $hop samples: give 1 to ${input.window}" }
    }

    private val converter = if (rate == input.rate) null else RateConverter(rate, input.rate)
    private val block = FloatArray(RateConverter.BLOCK)
    private val converted = if (converter == null) block else FloatArray(converter.most(RateConverter.BLOCK))
    private val ring = FloatArray(input.window)
    private var place = 0
    private var total = 0L

    /** How late a window is called: samples of the source that resampling looks ahead, 0 at the model's own rate. */
    public val lookAhead: Int
        get() = converter?.half ?: 0

    /** Takes `count` samples of 16 bits, of all channels in turn, and returns for how many windows it called the model. */
    @JvmOverloads
    public fun feed(samples: ShortArray, count: Int = samples.size): Int {
        requireInside(count, samples.size)
        return each(count) { start, frames -> AudioInput.mix(samples, start, frames, channels, block) }
    }

    /** The same of floats, of which -1 to 1 is full scale. */
    @JvmOverloads
    public fun feed(samples: FloatArray, count: Int = samples.size): Int {
        requireInside(count, samples.size)
        return each(count) { start, frames -> AudioInput.mix(samples, start, frames, channels, block) }
    }

    /** Begins anew, as if nothing had come. */
    public fun reset() {
        converter?.reset()
        place = 0
        total = 0
    }

    private fun requireInside(count: Int, size: Int) {
        require(count in 0..size) { "$count samples of an array of $size" }
        require(count % channels == 0) { "$count samples are no whole frames of $channels channels" }
    }

    private inline fun each(count: Int, mix: (start: Int, frames: Int) -> Unit): Int {
        var windows = 0
        var start = 0
        while (start < count / channels) {
            val frames = minOf(RateConverter.BLOCK, count / channels - start)
            mix(start, frames)
            windows += keep(if (converter == null) frames else converter.convert(block, frames, converted))
            start += frames
        }
        return windows
    }

    private fun keep(count: Int): Int {
        var windows = 0
        for (i in 0 until count) {
            ring[place++] = converted[i]
            if (place == ring.size) place = 0
            total++
            val behind = total - ring.size
            if (behind >= 0 && behind % hop == 0L) {
                call(behind)
                windows++
            }
        }
        return windows
    }

    private fun call(start: Long) {
        ring.copyInto(input.values, 0, place, ring.size)
        ring.copyInto(input.values, ring.size - place, 0, place)
        listener.onWindow(run(input.values), start.toDouble() / input.rate)
    }
}
