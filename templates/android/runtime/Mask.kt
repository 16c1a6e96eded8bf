package dropkit

import kotlin.math.floor

/**
 * The class of each pixel of an image, at the size that the model gives.
 *
 * @property classes row by row, `width * height` of them, from 0 in the order of the labels. Given to the next call as
 *   `reuse`, they are filled anew.
 */
public class Mask internal constructor(
    public val width: Int,
    public val height: Int,
    private val background: Boolean,
    /** Of the classes; none where they have none. */
    public val labels: List<String> = listOf(),
) {
    public val classes: IntArray = IntArray(width * height)

    /** Where the model's input lies in the frame. */
    internal val place: Place = Place()

    /** The size in pixels of the frame that the model was given. */
    public val frameWidth: Int get() = place.width
    public val frameHeight: Int get() = place.height

    /** The label of a class; its number where there is none. */
    public fun label(index: Int): String = labelOf(labels, index)

    /**
     * Fills and returns `into` with the class below the centre of each pixel of the frame that the model was given,
     * [OUTSIDE] where the model did not see it.
     */
    @JvmOverloads
    public fun onFrame(into: IntArray = IntArray(frameWidth * frameHeight)): IntArray =
        onFrame(place.placement, frameWidth, frameHeight, into)

    /**
     * Fills and returns `into` with the class below the centre of each pixel of the frame, [OUTSIDE] where the model did
     * not see the frame.
     *
     * @param placement six numbers from 0..1 over the model's input to the frame's pixels: x' = a x + b y + c, and so y'.
     */
    internal fun onFrame(
        placement: DoubleArray,
        frameWidth: Int,
        frameHeight: Int,
        into: IntArray = IntArray(frameWidth * frameHeight),
    ): IntArray {
        requirePlacement(placement)
        require(into.size == frameWidth * frameHeight) { "${into.size} values for $frameWidth x $frameHeight pixels" }
        val area = placement[0] * placement[4] - placement[1] * placement[3]
        require(area != 0.0) { "the placement maps the model's input to a line" }
        for (row in 0 until frameHeight) {
            val y = row + 0.5 - placement[5]
            for (column in 0 until frameWidth) {
                val x = column + 0.5 - placement[2]
                val modelColumn = floor((placement[4] * x - placement[1] * y) / area * width)
                val modelRow = floor((placement[0] * y - placement[3] * x) / area * height)
                val inside = modelColumn >= 0 && modelColumn < width && modelRow >= 0 && modelRow < height
                into[row * frameWidth + column] =
                    if (inside) classes[modelRow.toInt() * width + modelColumn.toInt()] else OUTSIDE
            }
        }
        return into
    }

    /**
     * Fills and returns `into` with a colour for each class, as 0xAARRGGBB: for `Bitmap.createBitmap` or `setPixels`.
     *
     * The background and [OUTSIDE] are transparent. The colours are those of PASCAL VOC.
     *
     * @param alpha of the colours, 0 to 255.
     */
    @JvmOverloads
    public fun colors(
        classes: IntArray = this.classes,
        into: IntArray = IntArray(classes.size),
        alpha: Int = 160,
    ): IntArray {
        require(into.size == classes.size) { "${into.size} values for ${classes.size} pixels" }
        val first = if (background) 0 else 1
        for (place in classes.indices) {
            val shown = classes[place] + first
            into[place] = if (classes[place] < 0 || shown == 0) 0 else (alpha shl 24) or colorOf(shown)
        }
        return into
    }

    /** Each class that is there, and its share of the pixels. */
    override fun toString(): String = classes.groupBy { it }.toSortedMap().entries.joinToString { (index, pixels) ->
        "${label(index)} ${pixels.size * 100 / classes.size}%"
    }

    /** Returns these classes in an object of their own. */
    public fun copy(): Mask {
        val other = Mask(width, height, background, labels)
        classes.copyInto(other.classes)
        other.place.set(place)
        return other
    }

    public companion object {
        /** The class of a pixel of the frame that the model did not see. */
        public const val OUTSIDE: Int = -1

        /** Bits 0, 1, 2 become the highest of red, green and blue, bits 3, 4, 5 the next. Source: VOCdevkit. */
        private fun colorOf(shown: Int): Int {
            var color = 0
            for (place in 0 until 8) {
                for (channel in 0 until 3) {
                    val bit = shown ushr (3 * place + channel) and 1
                    color = color or (bit shl (7 - place + 8 * (2 - channel)))
                }
            }
            return color
        }
    }
}

/** Scores [height, width, channels] to the best class of each pixel; one channel: 1 from the threshold on. */
internal class MaskDecoder(
    private val width: Int,
    private val height: Int,
    private val channels: Int,
    private val activation: Activation = Activation.NONE,
    private val background: Boolean = true,
    private val labels: List<String> = listOf(),
) {
    fun decode(values: FloatArray, threshold: Float, place: Place = Place(), reuse: Mask? = null): Mask {
        val mask = reuse ?: Mask(width, height, background, labels)
        mask.place.set(place)
        val classes = mask.classes
        for (pixel in classes.indices) {
            classes[pixel] = if (channels == 1) above(values[pixel], threshold) else best(values, pixel * channels)
        }
        return mask
    }

    private fun above(value: Float, threshold: Float): Int {
        val score = if (activation == Activation.SIGMOID) sigmoid(value) else value
        return if (score >= threshold) 1 else 0
    }

    private fun best(values: FloatArray, start: Int): Int {
        var best = 0
        var top = Float.NEGATIVE_INFINITY
        for (index in 0 until channels) {
            if (values[start + index] > top) {
                top = values[start + index]
                best = index
            }
        }
        return best
    }
}
