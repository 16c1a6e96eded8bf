package dropkit

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** The model's value of each pixel value in each channel: (pixel - mean) / std in float32, quantized once where it is whole. */
internal abstract class Lookup(private val mean: FloatArray, private val std: FloatArray) {
    protected val channels: Int = mean.size

    /** Keeps the values of image number `index` of `count`, pixels [height, width, channels]. */
    abstract fun put(pixels: ByteArray, index: Int, count: Int)

    /** Writes what was kept. */
    abstract fun write(slot: Slot)

    /** Returns the bytes of what was kept, in little endian. */
    abstract fun raw(): ByteArray

    protected fun real(place: Int): Float = (place / channels - mean[place % channels]) / std[place % channels]
}

internal class FloatLookup(mean: FloatArray, std: FloatArray, private val count: Int) : Lookup(mean, std) {
    private val table = FloatArray(256 * channels) { real(it) }
    private var values = FloatArray(count)

    override fun put(pixels: ByteArray, index: Int, count: Int) {
        if (values.size != this.count * count) values = FloatArray(this.count * count)
        var channel = 0
        var at = index * this.count
        for (i in 0 until this.count) {
            values[at++] = table[(pixels[i].toInt() and 0xFF) * channels + channel]
            if (++channel == channels) channel = 0
        }
    }

    override fun write(slot: Slot): Unit = slot.write(values)

    override fun raw(): ByteArray {
        val bytes = ByteBuffer.allocate(4 * values.size).order(ByteOrder.LITTLE_ENDIAN)
        for (value in values) bytes.putFloat(value)
        return bytes.array()
    }
}

/** For uint8 and int8. */
internal class ByteLookup(mean: FloatArray, std: FloatArray, affine: Affine, private val count: Int) : Lookup(mean, std) {
    private val table = ByteArray(256 * channels) { quantize(real(it), affine).toByte() }
    private var values = ByteArray(count)

    override fun put(pixels: ByteArray, index: Int, count: Int) {
        if (values.size != this.count * count) values = ByteArray(this.count * count)
        var channel = 0
        var at = index * this.count
        for (i in 0 until this.count) {
            values[at++] = table[(pixels[i].toInt() and 0xFF) * channels + channel]
            if (++channel == channels) channel = 0
        }
    }

    override fun write(slot: Slot): Unit = slot.write(values)

    override fun raw(): ByteArray = values.copyOf()
}

internal class ShortLookup(mean: FloatArray, std: FloatArray, affine: Affine, private val count: Int) : Lookup(mean, std) {
    private val table = ShortArray(256 * channels) { quantize(real(it), affine).toShort() }
    private var values = ShortArray(count)

    override fun put(pixels: ByteArray, index: Int, count: Int) {
        if (values.size != this.count * count) values = ShortArray(this.count * count)
        var channel = 0
        var at = index * this.count
        for (i in 0 until this.count) {
            values[at++] = table[(pixels[i].toInt() and 0xFF) * channels + channel]
            if (++channel == channels) channel = 0
        }
    }

    override fun write(slot: Slot): Unit = slot.write(values)

    override fun raw(): ByteArray {
        val bytes = ByteBuffer.allocate(2 * values.size).order(ByteOrder.LITTLE_ENDIAN)
        for (value in values) bytes.putShort(value)
        return bytes.array()
    }
}
