package dropkit.stub

/**
 * What a model makes of an image or a text.
 *
 * @property words what the screen says of it
 * @property marks what is drawn over the image
 * @property colors a mask at the image's size, 0xAARRGGBB row by row
 */
class Seen(val words: String, val marks: List<Mark> = listOf(), val colors: IntArray? = null)

/** A box in pixels of the image, or a point where it has no size; and the word beside it. */
class Mark(val left: Float, val top: Float, val right: Float, val bottom: Float, val word: String)
