    /** One class and its score, until the next call. */
    class Score<out L> internal constructor(
        val index: Int,
        /** The class's label; its number where the model has no labels. */
        val label: L,
    ) {
        var score: Float = 0f
            internal set

        override fun toString(): String = "$label $score"
    }

    /** Sorts scores without making anything new. */
    private class Ranking<L>(labels: List<L>) {
        val values = DoubleArray(labels.size)
        private val scores = FloatArray(labels.size)
        private val all = labels.mapIndexed { index, label -> Score(index, label) }
        private val order = IntArray(labels.size)
        private val best = Best()

        fun round(): FloatArray {
            for (i in values.indices) {
                scores[i] = values[i].toFloat()
                all[i].score = scores[i]
            }
            return scores
        }

        fun top(k: Int, threshold: Float): List<Score<L>> {
            require(k >= 1) { "k is $k, and at least 1 is needed" }
            var count = 0
            for (i in scores.indices) {
                val dropped = if (scores[i].isNaN()) threshold > Float.NEGATIVE_INFINITY else scores[i] < threshold
                if (dropped || (count == k && !before(i, order[count - 1]))) continue
                var place = if (count < k) count++ else count - 1
                while (place > 0 && before(i, order[place - 1])) {
                    order[place] = order[place - 1]
                    place--
                }
                order[place] = i
            }
            best.size = count
            return best
        }

        // Classes come in their order, so that of equal scores the earlier one stays in front.
        private fun before(one: Int, other: Int): Boolean =
            scores[one] > scores[other] || (scores[other].isNaN() && !scores[one].isNaN())

        private inner class Best : AbstractList<Score<L>>() {
            override var size = 0

            override fun get(index: Int): Score<L> {
                if (index !in 0 until size) throw IndexOutOfBoundsException("$index of $size")
                return all[order[index]]
            }
        }
    }

