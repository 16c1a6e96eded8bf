package dropkit

import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * The model's value of each pixel value in each channel: (pixel - mean) / std in float32, quantized once where it is whole.
 *
 * @param count how many values an image has.
 */
internal abstract class Lookup(private val mean: FloatArray, private val std: FloatArray, protected val count: Int) {
    protected val channels: Int = mean.size

    /** Keeps the values of image number `index` of `images`, pixels [height, width, channels]. */
    abstract fun put(pixels: ByteArray, index: Int, images: Int)

    /** Writes what was kept. */
    abstract fun write(slot: Slot)

    /** Returns the bytes of what was kept, in little endian. */
    abstract fun raw(): ByteArray

    protected fun real(place: Int): Float = (place / channels - mean[place % channels]) / std[place % channels]

    /** Gives each value's place, and that of what it becomes in a table of every pixel value in every channel. */
    protected inline fun each(pixels: ByteArray, index: Int, take: (at: Int, place: Int) -> Unit) {
        var channel = 0
        val start = index * count
        for (i in 0 until count) {
            take(start + i, (pixels[i].toInt() and 0xFF) * channels + channel)
            if (++channel == channels) channel = 0
        }
    }
}

internal class FloatLookup(mean: FloatArray, std: FloatArray, count: Int) : Lookup(mean, std, count) {
    private val table = FloatArray(256 * channels) { real(it) }
    private var values = FloatArray(count)

    override fun put(pixels: ByteArray, index: Int, images: Int) {
        if (values.size != count * images) values = FloatArray(count * images)
        each(pixels, index) { at, place -> values[at] = table[place] }
    }

    override fun write(slot: Slot): Unit = slot.write(values)

    override fun raw(): ByteArray {
        val bytes = ByteBuffer.allocate(4 * values.size).order(ByteOrder.LITTLE_ENDIAN)
        for (value in values) bytes.putFloat(value)
        return bytes.array()
    }
}

/** For uint8 and int8. */
internal class ByteLookup(mean: FloatArray, std: FloatArray, affine: Affine, count: Int) : Lookup(mean, std, count) {
    private val table = ByteArray(256 * channels) { quantize(real(it), affine).toByte() }
    private var values = ByteArray(count)

    override fun put(pixels: ByteArray, index: Int, images: Int) {
        if (values.size != count * images) values = ByteArray(count * images)
        each(pixels, index) { at, place -> values[at] = table[place] }
    }

    override fun write(slot: Slot): Unit = slot.write(values)

    override fun raw(): ByteArray = values.copyOf()
}

internal class ShortLookup(mean: FloatArray, std: FloatArray, affine: Affine, count: Int) : Lookup(mean, std, count) {
    private val table = ShortArray(256 * channels) { quantize(real(it), affine).toShort() }
    private var values = ShortArray(count)

    override fun put(pixels: ByteArray, index: Int, images: Int) {
        if (values.size != count * images) values = ShortArray(count * images)
        each(pixels, index) { at, place -> values[at] = table[place] }
    }

    override fun write(slot: Slot): Unit = slot.write(values)

    override fun raw(): ByteArray {
        val bytes = ByteBuffer.allocate(2 * values.size).order(ByteOrder.LITTLE_ENDIAN)
        for (value in values) bytes.putShort(value)
        return bytes.array()
    }
}
