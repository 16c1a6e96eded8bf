package dropkit

/**
 * Where a model's input lies in the frame that it was made of.
 *
 * @param width of the frame; where there is none the input's own, and 1 for coordinates from 0 to 1. So is `height`.
 */
internal class Place(width: Int = 1, height: Int = 1) {
    var width: Int = width
        private set
    var height: Int = height
        private set

    /** (a, b, c, d, e, f): x and y, from 0 to 1 over the input, lie at a * x + b * y + c and d * x + e * y + f. */
    val placement: DoubleArray = doubleArrayOf(width.toDouble(), 0.0, 0.0, 0.0, height.toDouble(), 0.0)

    fun set(placement: DoubleArray, width: Int, height: Int) {
        placement.copyInto(this.placement)
        this.width = width
        this.height = height
    }

    fun set(other: Place): Unit = set(other.placement, other.width, other.height)
}

/** The label of a class, or its number. */
internal fun labelOf(labels: List<String>, index: Int): String = labels.getOrNull(index) ?: index.toString()

internal fun requirePlacement(placement: DoubleArray) {
    require(placement.size == 6) { "a placement has 6 numbers, and this has ${placement.size}" }
}

internal fun frameX(placement: DoubleArray, x: Float, y: Float): Float =
    (placement[0] * x.toDouble() + placement[1] * y.toDouble() + placement[2]).toFloat() + 0f

internal fun frameY(placement: DoubleArray, x: Float, y: Float): Float =
    (placement[3] * x.toDouble() + placement[4] * y.toDouble() + placement[5]).toFloat() + 0f
