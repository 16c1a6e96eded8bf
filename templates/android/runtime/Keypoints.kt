package dropkit

/**
 * A keypoint, in pixels of the frame.
 *
 * @property index which one, from 0, in the order of the labels.
 */
public class Keypoint(
    public val x: Float,
    public val y: Float,
    public val score: Float,
    public val index: Int,
    private val labels: List<String> = listOf(),
) {
    /** Its name; its number where the model has none. */
    public val label: String get() = labelOf(labels, index)

    override fun toString(): String = "$label $score [$x, $y]"
}

/**
 * A heatmap [height, width, count] to the peak of each channel, moved by a quarter of a pixel towards the higher of its
 * neighbours. The list and its keypoints are the caller's own.
 */
internal class HeatmapDecoder(
    private val width: Int,
    private val height: Int,
    private val count: Int,
    private val activation: Activation = Activation.NONE,
    private val labels: List<String> = listOf(),
) {
    fun decode(values: FloatArray, placement: DoubleArray, threshold: Float = Float.NEGATIVE_INFINITY): List<Keypoint> {
        requirePlacement(placement)
        val points = ArrayList<Keypoint>(count)
        for (index in 0 until count) {
            val pixel = peak(values, index)
            val column = pixel % width
            val row = pixel / width
            val raw = values[pixel * count + index]
            val score = if (activation == Activation.SIGMOID) sigmoid(raw) else raw
            if (!isSeen(score, threshold)) continue
            val across = towards(values, column, width, pixel * count + index, count)
            val down = towards(values, row, height, pixel * count + index, width * count)
            val x = ((column + 0.5 + across) / width).toFloat()
            val y = ((row + 0.5 + down) / height).toFloat()
            points.add(Keypoint(frameX(placement, x, y), frameY(placement, x, y), score, index, labels))
        }
        return points
    }

    private fun peak(values: FloatArray, index: Int): Int {
        var best = 0
        var top = Float.NEGATIVE_INFINITY
        for (pixel in 0 until width * height) {
            val value = values[pixel * count + index]
            if (value > top) {
                top = value
                best = pixel
            }
        }
        return best
    }

    /** How far to move along a line of `size` places, from number `place`, whose value is at `at`. */
    private fun towards(values: FloatArray, place: Int, size: Int, at: Int, step: Int): Double {
        if (place == 0 || place == size - 1) return 0.0
        val before = ordered(values[at - step])
        val after = ordered(values[at + step])
        return if (before == after) 0.0 else if (after > before) 0.25 else -0.25
    }

    private fun ordered(value: Float): Float = if (value.isNaN()) Float.NEGATIVE_INFINITY else value
}

/**
 * Coordinates [count, columns], two or three of each: x, y and perhaps a score, else 1.
 *
 * @param verticalFirst y comes before x.
 * @param width of the model's input where coordinates are its pixels; 1 where they are normalized. So is `height`.
 */
internal class CoordinateDecoder(
    private val count: Int,
    private val columns: Int,
    private val verticalFirst: Boolean = false,
    private val width: Float = 1f,
    private val height: Float = 1f,
    private val labels: List<String> = listOf(),
) {
    fun decode(values: FloatArray, placement: DoubleArray, threshold: Float = Float.NEGATIVE_INFINITY): List<Keypoint> {
        requirePlacement(placement)
        val points = ArrayList<Keypoint>(count)
        for (index in 0 until count) {
            val at = index * columns
            val score = if (columns == 3) values[at + 2] else 1f
            if (!isSeen(score, threshold)) continue
            val x = values[if (verticalFirst) at + 1 else at] / width
            val y = values[if (verticalFirst) at else at + 1] / height
            points.add(Keypoint(frameX(placement, x, y), frameY(placement, x, y), score, index, labels))
        }
        return points
    }
}

private fun isSeen(score: Float, threshold: Float): Boolean =
    threshold == Float.NEGATIVE_INFINITY || score >= threshold
