package dropkit

/** One class and its score. */
public class Score<L> internal constructor(index: Int, label: L, score: Float) {
    public var index: Int = index
        internal set

    /** The class's label; its number where the model has no labels. */
    public var label: L = label
        internal set
    public var score: Float = score
        internal set

    override fun toString(): String = "$label $score"
}

/** The best classes, best first. Given to the next call as `reuse`, it is filled anew, and so are its scores. */
public class Top<L> internal constructor(private val labels: List<L>) : AbstractList<Score<L>>() {
    private val best = ArrayList<Score<L>>()
    private var order = IntArray(0)
    private var count = 0

    override val size: Int
        get() = count

    override fun get(index: Int): Score<L> {
        if (index !in 0 until count) throw IndexOutOfBoundsException("$index of $count")
        return best[index]
    }

    /** Of equal scores the lower class comes first, and NaN is last of all. */
    internal fun fill(scores: FloatArray, k: Int, threshold: Float): Top<L> {
        require(k >= 1) { "k is $k, and at least 1 is needed" }
        val most = minOf(k, scores.size)
        if (order.size != most) order = IntArray(most)
        count = 0
        for (i in scores.indices) {
            val dropped = if (scores[i].isNaN()) threshold > Float.NEGATIVE_INFINITY else scores[i] < threshold
            if (dropped || (count == most && !before(scores, i, order[count - 1]))) continue
            var place = if (count < most) count++ else count - 1
            while (place > 0 && before(scores, i, order[place - 1])) {
                order[place] = order[place - 1]
                place--
            }
            order[place] = i
        }
        for (place in 0 until count) put(place, order[place], scores[order[place]])
        return this
    }

    private fun put(place: Int, index: Int, score: Float) {
        if (place == best.size) {
            best.add(Score(index, labels[index], score))
            return
        }
        val old = best[place]
        old.index = index
        old.label = labels[index]
        old.score = score
    }

    // Classes come in their order, so that of equal scores the earlier one stays in front.
    private fun before(scores: FloatArray, one: Int, other: Int): Boolean =
        scores[one] > scores[other] || (scores[other].isNaN() && !scores[one].isNaN())
}

/** Where real values of an output are computed, in double before they are rounded. */
internal class Reals(count: Int) {
    val values: DoubleArray = DoubleArray(count)
    val rounded: FloatArray = FloatArray(count)

    fun round(into: FloatArray): FloatArray {
        for (i in values.indices) into[i] = values[i].toFloat()
        return into
    }
}
