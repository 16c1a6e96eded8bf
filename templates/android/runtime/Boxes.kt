package dropkit

import kotlin.math.floor

/**
 * A detected object, in pixels of the frame; it may reach over the frame's edge.
 *
 * @property index the class, from 0, in the order of the labels.
 */
public class Box(
    public val left: Float,
    public val top: Float,
    public val right: Float,
    public val bottom: Float,
    public val score: Float,
    public val index: Int,
    private val labels: List<String> = listOf(),
) {
    /** The class's label; its number where the model has none. */
    public val label: String get() = labelOf(labels, index)

    /** How wide it is, in pixels of the frame. */
    public val width: Float get() = right - left

    /** How high it is, in pixels of the frame. */
    public val height: Float get() = bottom - top

    override fun toString(): String = "$label $score [$left, $top, $right, $bottom]"
}

/** The order of a box's four numbers. */
internal enum class BoxFormat { XYXY, YXYX, CXCYWH }

/** Which boxes a better one suppresses where it overlaps them: those of its class, all, or none. */
internal enum class Suppression { CLASS, ALL, NONE }

/**
 * How four numbers of a model become corners from 0 to 1.
 *
 * @property width of the model's input where coordinates are its pixels; 1 where they are normalized. So is [height].
 */
internal class BoxCorners(
    private val format: BoxFormat,
    private val width: Float = 1f,
    private val height: Float = 1f,
) {
    /** Puts one candidate's corners into [into]. The numbers are at `start`, `start + step`, ... of `values`. */
    fun read(values: FloatArray, start: Int, step: Int, into: BoxSelector, index: Int) {
        val one = values[start]
        val two = values[start + step]
        val three = values[start + 2 * step]
        val four = values[start + 3 * step]
        when (format) {
            BoxFormat.XYXY -> scaled(one, two, three, four, into, index)
            BoxFormat.YXYX -> scaled(two, one, four, three, into, index)
            BoxFormat.CXCYWH -> {
                val across = three * 0.5f
                val down = four * 0.5f
                scaled(one - across, two - down, one + across, two + down, into, index)
            }
        }
    }

    private fun scaled(left: Float, top: Float, right: Float, bottom: Float, into: BoxSelector, index: Int) {
        into.corners(index, left / width, top / height, right / width, bottom / height)
    }
}

/** The best class of each of `count` candidates, without making anything new. */
internal class BestClasses(private val count: Int) {
    /** Before the activation. */
    val raw: FloatArray = FloatArray(count)
    val classes: IntArray = IntArray(count)

    /**
     * Finds them in scores at `start + candidate * rowStep + class * classStep` of `values`, for `classes` from `first` on.
     * Of equal scores the lower class is better; NaN is the lowest.
     */
    fun find(values: FloatArray, start: Int, rowStep: Int, classStep: Int, first: Int, end: Int) {
        if (rowStep == 1) {
            // One class after the other: as they lie in memory.
            raw.fill(Float.NEGATIVE_INFINITY)
            classes.fill(0)
            for (index in first until end) {
                val line = start + index * classStep
                for (row in 0 until count) {
                    if (values[line + row] > raw[row]) {
                        raw[row] = values[line + row]
                        classes[row] = index - first
                    }
                }
            }
        } else {
            for (row in 0 until count) classes[row] = best(values, start + row * rowStep, classStep, first, end)
        }
        for (row in 0 until count) raw[row] = values[start + row * rowStep + (first + classes[row]) * classStep]
    }

    private fun best(values: FloatArray, start: Int, classStep: Int, first: Int, end: Int): Int {
        var best = 0
        var top = Float.NEGATIVE_INFINITY
        for (index in first until end) {
            val value = values[start + index * classStep]
            if (value > top) {
                top = value
                best = index - first
            }
        }
        return best
    }
}

/**
 * The probability of one class among all of a row, NaN as soon as it is certain to be below the threshold.
 *
 * @param best the raw score of that class.
 */
internal fun softmaxOf(
    values: FloatArray,
    start: Int,
    step: Int,
    count: Int,
    best: Float,
    threshold: Float,
): Float {
    var top = Float.NEGATIVE_INFINITY
    for (i in 0 until count) if (values[start + i * step] > top) top = values[start + i * step]
    val own = exponential(best.toDouble() - top.toDouble())
    var total = 0.0
    for (i in 0 until count) {
        total += exponential(values[start + i * step].toDouble() - top.toDouble())
        // The total only grows, and a quotient of it only falls.
        if ((own / total).toFloat() < threshold) return Float.NaN
    }
    return (own / total).toFloat()
}

/**
 * Keeps candidates, and of them the best that do not overlap: postprocess.py's rules, bit for bit.
 *
 * Buffers are made once. [select] makes the list and its boxes alone, and these are the caller's own.
 *
 * @param capacity how many candidates there may be.
 * @param most how many boxes are reported.
 * @param labels of the classes; none where they have none.
 */
internal class BoxSelector(
    capacity: Int,
    private val suppression: Suppression = Suppression.CLASS,
    private val iou: Float = 0.5f,
    private val most: Int = 100,
    private val labels: List<String> = listOf(),
) {
    private val corners = FloatArray(capacity * 4)
    private val scores = FloatArray(capacity)
    private val classes = IntArray(capacity)

    // A heap: the upper half of a key orders by the score, the lower one by the place, earlier ones first.
    private val keys = LongArray(capacity)
    private val kept = IntArray(minOf(most, capacity))
    private val areas = FloatArray(minOf(most, capacity))
    private var size = 0

    /** Forgets all candidates. */
    fun clear() {
        size = 0
    }

    /** Sets a candidate's corners, normalized, in any order of left and right, top and bottom. */
    fun corners(index: Int, left: Float, top: Float, right: Float, bottom: Float) {
        val at = index * 4
        corners[at] = minOf(left, right)
        corners[at + 1] = minOf(top, bottom)
        corners[at + 2] = maxOf(left, right)
        corners[at + 3] = maxOf(top, bottom)
    }

    /** Counts a candidate in whose corners are set, unless one of them is not finite. */
    fun offer(index: Int, score: Float, classIndex: Int) {
        val at = index * 4
        for (place in at until at + 4) if (!corners[place].isFinite()) return
        scores[index] = score + 0f // -0 becomes 0: the two are equal
        classes[index] = classIndex
        val bits = scores[index].toRawBits()
        val ordered = bits xor (bits shr 31 and Int.MAX_VALUE)
        keys[size++] = (ordered.toLong() shl 32) or (Int.MAX_VALUE - index).toLong()
    }

    /** Returns the boxes in the frame, best first. [placement]: six numbers, frame_x = a * x + b * y + c, and so y. */
    fun select(placement: DoubleArray): List<Box> {
        requirePlacement(placement)
        for (place in size / 2 - 1 downTo 0) sink(place)
        var count = 0
        while (size > 0 && count < kept.size) {
            val index = takeBest()
            if (suppression == Suppression.NONE || isFree(index, count)) {
                kept[count] = index
                areas[count++] = area(index)
            }
        }
        val boxes = ArrayList<Box>(count)
        for (place in 0 until count) boxes.add(onFrame(kept[place], placement))
        return boxes
    }

    private fun takeBest(): Int {
        val key = keys[0]
        keys[0] = keys[--size]
        sink(0)
        return Int.MAX_VALUE - key.toInt()
    }

    private fun sink(from: Int) {
        var place = from
        val key = keys[place]
        while (2 * place + 1 < size) {
            var child = 2 * place + 1
            if (child + 1 < size && keys[child + 1] > keys[child]) child++
            if (keys[child] <= key) break
            keys[place] = keys[child]
            place = child
        }
        keys[place] = key
    }

    private fun area(index: Int): Float {
        val at = index * 4
        return (corners[at + 2] - corners[at]) * (corners[at + 3] - corners[at + 1])
    }

    private fun isFree(index: Int, count: Int): Boolean {
        val own = area(index)
        for (place in 0 until count) {
            val better = kept[place]
            if (suppression == Suppression.CLASS && classes[better] != classes[index]) continue
            if (overlap(better, areas[place], index, own) > iou) return false
        }
        return true
    }

    /** Intersection over union. Two boxes without area give NaN, which is above nothing. */
    private fun overlap(one: Int, oneArea: Float, other: Int, otherArea: Float): Float {
        val a = one * 4
        val b = other * 4
        val across = minOf(corners[a + 2], corners[b + 2]) - maxOf(corners[a], corners[b])
        val down = minOf(corners[a + 3], corners[b + 3]) - maxOf(corners[a + 1], corners[b + 1])
        val shared = maxOf(across, 0f) * maxOf(down, 0f)
        return shared / (oneArea + otherArea - shared)
    }

    private fun onFrame(index: Int, placement: DoubleArray): Box {
        val at = index * 4
        val x = frameX(placement, corners[at], corners[at + 1])
        val y = frameY(placement, corners[at], corners[at + 1])
        val otherX = frameX(placement, corners[at + 2], corners[at + 3])
        val otherY = frameY(placement, corners[at + 2], corners[at + 3])
        return Box(
            minOf(x, otherX),
            minOf(y, otherY),
            maxOf(x, otherX),
            maxOf(y, otherY),
            scores[index],
            classes[index],
            labels,
        )
    }
}

/** A head whose file suppresses boxes itself: boxes [N, 4], scores [N], and classes [N] and a count where it has them. */
internal class SsdDecoder(private val capacity: Int, private val form: BoxCorners, private val selector: BoxSelector) {
    fun decode(
        boxes: FloatArray,
        scores: FloatArray,
        classes: FloatArray?,
        count: FloatArray?,
        placement: DoubleArray,
        threshold: Float,
    ): List<Box> {
        selector.clear()
        for (index in 0 until (if (count == null) capacity else countOf(count[0]))) {
            val named = if (classes == null) 0f else classes[index]
            // Not a class: negative, NaN, or beyond what 32 bits count in ones.
            if (!(scores[index] >= threshold) || !(named > -0.5f && named < MOST_CLASS)) continue
            form.read(boxes, index * 4, 1, selector, index)
            selector.offer(index, scores[index], floor(named + 0.5f).toInt())
        }
        return selector.select(placement)
    }

    private fun countOf(given: Float): Int =
        if (given.isNaN()) 0 else floor(given + 0.5f).coerceIn(0f, capacity.toFloat()).toInt()

    private companion object {
        private const val MOST_CLASS = 16777216f
    }
}

/**
 * What the scores of a head are.
 *
 * @property activation what is still to be applied.
 * @property background the first score is the background's: never reported, and class 0 is the one behind it.
 */
internal class ScoreForm(val activation: Activation = Activation.NONE, background: Boolean = false) {
    /** The first score that counts. */
    val first: Int = if (background) 1 else 0
}

/** A head of boxes [N, 4] and scores [N, C]. With anchors the boxes are offsets from them. */
internal class ScoresDecoder(
    private val capacity: Int,
    private val classCount: Int,
    private val form: BoxCorners,
    private val selector: BoxSelector,
    private val scoreForm: ScoreForm = ScoreForm(),
    private val anchors: BoxAnchors? = null,
) {
    private val best = BestClasses(capacity)

    fun decode(
        boxes: FloatArray,
        scores: FloatArray,
        placement: DoubleArray,
        threshold: Float,
    ): List<Box> {
        selector.clear()
        best.find(scores, 0, classCount, 1, scoreForm.first, classCount)
        for (index in 0 until capacity) {
            val raw = best.raw[index]
            val score = when (scoreForm.activation) {
                Activation.NONE -> raw
                Activation.SIGMOID -> sigmoid(raw)
                Activation.SOFTMAX -> softmaxOf(scores, index * classCount, 1, classCount, raw, threshold)
            }
            if (!(score >= threshold)) continue
            if (anchors == null) form.read(boxes, index * 4, 1, selector, index) else anchors.read(boxes, index, selector)
            selector.offer(index, score, best.classes[index])
        }
        return selector.select(placement)
    }
}

/**
 * Anchors [N, 4], normalized: the centre and the size of each.
 *
 * @param verticalFirst y and height come before x and width.
 * @param variances what offsets are multiplied by, in their order.
 */
internal class BoxAnchors(
    private val anchors: FloatArray,
    private val variances: DoubleArray,
    private val verticalFirst: Boolean,
) {
    fun read(offsets: FloatArray, index: Int, into: BoxSelector) {
        val x = if (verticalFirst) 1 else 0
        val y = 1 - x
        into.corners(
            index,
            end(offsets, index, x, -1.0),
            end(offsets, index, y, -1.0),
            end(offsets, index, x, 1.0),
            end(offsets, index, y, 1.0),
        )
    }

    private fun end(offsets: FloatArray, index: Int, axis: Int, side: Double): Float {
        val at = index * 4 + axis
        val size = anchors[at + 2].toDouble()
        val center = offsets[at].toDouble() * variances[axis] * size + anchors[at].toDouble()
        val half = exponential(offsets[at + 2].toDouble() * variances[axis + 2]) * size * 0.5
        return (center + side * half).toFloat()
    }
}

/**
 * How a YOLO head's one tensor lies.
 *
 * @property transposed [channels, N], not [N, channels].
 * @property objectness a fifth value, before the scores, multiplies them.
 */
internal class YoloLayout(val channels: Int, val transposed: Boolean, val objectness: Boolean = false)

/** A YOLO head: one tensor of 4 or, with objectness, 5 values and C scores for each of N candidates. */
internal class YoloDecoder(
    private val capacity: Int,
    layout: YoloLayout,
    private val form: BoxCorners,
    private val selector: BoxSelector,
    private val scoreForm: ScoreForm = ScoreForm(),
) {
    private val best = BestClasses(capacity)
    private val objectness = layout.objectness
    private val own = if (objectness) 5 else 4
    private val classCount = layout.channels - own
    private val rowStep = if (layout.transposed) 1 else layout.channels
    private val step = if (layout.transposed) capacity else 1

    fun decode(values: FloatArray, placement: DoubleArray, threshold: Float): List<Box> {
        selector.clear()
        val activation = scoreForm.activation
        best.find(values, own * step, rowStep, step, scoreForm.first, classCount)
        for (index in 0 until capacity) {
            val start = index * rowStep
            val raw = best.raw[index]
            var score = when (activation) {
                Activation.NONE -> raw
                Activation.SIGMOID -> sigmoid(raw)
                Activation.SOFTMAX -> softmaxOf(values, start + own * step, step, classCount, raw, lowest(threshold))
            }
            if (objectness) {
                val there = values[start + 4 * step]
                score = (if (activation == Activation.SIGMOID) sigmoid(there) else there) * score
            }
            if (!(score >= threshold)) continue
            form.read(values, start, step, selector, index)
            selector.offer(index, score, best.classes[index])
        }
        return selector.select(placement)
    }

    /** A class's own probability says nothing yet where objectness multiplies it. */
    private fun lowest(threshold: Float): Float = if (objectness) Float.NEGATIVE_INFINITY else threshold
}
