package dropkit

import android.graphics.Bitmap

/** One input that an image becomes: its pixels, and the values that the model takes for them. */
internal class ImageFeed(
    override val name: String,
    private val input: ImageInput,
    private val lookup: Lookup,
) : PixelFeed {
    fun load(image: Bitmap, rotationDegrees: Int, call: Call) {
        input.load(image, rotationDegrees)
        write(input.pixels, call)
    }

    override fun write(pixels: ByteArray, call: Call): Unit = lookup.write(pixels, call.input(name))
}
