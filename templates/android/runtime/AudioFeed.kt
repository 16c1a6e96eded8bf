package dropkit

import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * One input that a sound becomes.
 *
 * @param affine of an input of whole numbers of 8 bits.
 */
internal class AudioFeed(
    override val name: String,
    val input: AudioInput,
    private val affine: Affine? = null,
) : RawFeed {
    override val kind: String = "audio"
    private val steps = ByteArray(if (affine == null) 0 else input.window)

    fun load(samples: ShortArray, rate: Int, channels: Int, call: Call) {
        input.load(samples, rate, channels)
        write(input.values, call)
    }

    fun load(samples: FloatArray, rate: Int, channels: Int, call: Call) {
        input.load(samples, rate, channels)
        write(input.values, call)
    }

    /** Feeds one window. */
    fun write(values: FloatArray, call: Call) {
        if (affine == null) {
            call.input(name).write(values)
            return
        }
        quantize(values, affine)
        call.input(name).write(steps)
    }

    /** `given`: rate (32 bits), channels (16), bits of a sample (16), frames (32), then the frames; 0 behind them. */
    override fun raw(given: ByteArray): ByteArray {
        val bytes = ByteBuffer.wrap(given).order(ByteOrder.LITTLE_ENDIAN)
        val rate = bytes.int
        val channels = bytes.short.toInt()
        val whole = bytes.short.toInt() == 16
        val count = bytes.int * channels
        if (whole) {
            input.load(ShortArray(count) { bytes.short }, rate, channels)
        } else {
            input.load(FloatArray(count) { bytes.float }, rate, channels)
        }
        if (affine != null) {
            quantize(input.values, affine)
            return steps.copyOf()
        }
        val made = ByteBuffer.allocate(4 * input.window).order(ByteOrder.LITTLE_ENDIAN)
        for (value in input.values) made.putFloat(value)
        return made.array()
    }

    private fun quantize(values: FloatArray, affine: Affine) {
        for (i in values.indices) steps[i] = quantize(values[i], affine).toByte()
    }
}
