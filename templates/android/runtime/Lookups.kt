package dropkit

/** The model's value of each pixel value in each channel: (pixel - mean) / std in float32, quantized once where it is whole. */
internal abstract class Lookup(protected val mean: FloatArray, protected val std: FloatArray) {
    protected val channels: Int = mean.size

    /** Writes pixels [height, width, channels] as the input's values. */
    abstract fun write(pixels: ByteArray, slot: Slot)

    protected fun real(place: Int): Float = (place / channels - mean[place % channels]) / std[place % channels]
}

internal class FloatLookup(mean: FloatArray, std: FloatArray, count: Int) : Lookup(mean, std) {
    private val table = FloatArray(256 * channels) { real(it) }
    private val values = FloatArray(count)

    override fun write(pixels: ByteArray, slot: Slot) {
        var channel = 0
        for (i in values.indices) {
            values[i] = table[(pixels[i].toInt() and 0xFF) * channels + channel]
            if (++channel == channels) channel = 0
        }
        slot.write(values)
    }
}

/** For uint8 and int8. */
internal class ByteLookup(mean: FloatArray, std: FloatArray, affine: Affine, count: Int) : Lookup(mean, std) {
    private val table = ByteArray(256 * channels) { quantize(real(it), affine).toByte() }
    private val values = ByteArray(count)

    override fun write(pixels: ByteArray, slot: Slot) {
        var channel = 0
        for (i in values.indices) {
            values[i] = table[(pixels[i].toInt() and 0xFF) * channels + channel]
            if (++channel == channels) channel = 0
        }
        slot.write(values)
    }
}

internal class ShortLookup(mean: FloatArray, std: FloatArray, affine: Affine, count: Int) : Lookup(mean, std) {
    private val table = ShortArray(256 * channels) { quantize(real(it), affine).toShort() }
    private val values = ShortArray(count)

    override fun write(pixels: ByteArray, slot: Slot) {
        var channel = 0
        for (i in values.indices) {
            values[i] = table[(pixels[i].toInt() and 0xFF) * channels + channel]
            if (++channel == channels) channel = 0
        }
        slot.write(values)
    }
}
