package dropkit

import android.graphics.Bitmap

/** One input that an image becomes: its pixels, and the values that the model takes for them. */
internal class ImageFeed(
    override val name: String,
    private val input: ImageInput,
    private val lookup: Lookup,
) : RawFeed {
    override val kind: String = "pixels"

    /** Where the input lies in the last image. */
    val place: Place = Place()

    fun load(image: Bitmap, rotationDegrees: Int, mirror: Boolean, region: Region?, call: Call) {
        input.load(image, rotationDegrees, mirror, region)
        place.set(input.placement, image.width, image.height)
        write(input.pixels, call)
    }

    fun load(frame: Frame, rotationDegrees: Int, mirror: Boolean, region: Region?, call: Call) {
        input.load(frame, rotationDegrees, mirror, region)
        place.set(input.placement, frame.width, frame.height)
        write(input.pixels, call)
    }

    /** Feeds an input whose batch is open. */
    fun load(images: List<Bitmap>, rotationDegrees: Int, mirror: Boolean, call: Call) {
        require(images.isNotEmpty()) { "'$name' is given no image" }
        val slot = call.input(name)
        slot.resize(slot.tensor.shape.copyOf().also { it[0] = images.size })
        for ((index, image) in images.withIndex()) {
            input.load(image, rotationDegrees, mirror, null)
            lookup.put(input.pixels, index, images.size)
        }
        lookup.write(slot)
    }

    override fun raw(given: ByteArray): ByteArray {
        lookup.put(given, 0, 1)
        return lookup.raw()
    }

    private fun write(pixels: ByteArray, call: Call) {
        lookup.put(pixels, 0, 1)
        lookup.write(call.input(name))
    }
}
