package dropkit

import java.io.DataInputStream
import java.io.DataOutputStream
import java.io.File
import java.lang.management.ManagementFactory

/** One case of the test: what a decoder is made of, and what it decodes. */
private class Case(val kind: Int, val ints: IntArray, val doubles: DoubleArray, val arrays: List<FloatArray>) {
    val placement: DoubleArray = doubles.copyOf(6)
    val threshold: Float = doubles.getOrElse(6) { 0.0 }.toFloat()
    val iou: Float = doubles.getOrElse(7) { 0.0 }.toFloat()

    fun activation(place: Int): Activation = Activation.entries[ints[place]]

    fun corners(): BoxCorners = BoxCorners(BoxFormat.entries[ints[1]], ints[4].toFloat(), ints[5].toFloat())

    fun selector(): BoxSelector = BoxSelector(ints[0], Suppression.entries[ints[2]], iou, ints[3])

    fun scoreForm(): ScoreForm = ScoreForm(activation(6), ints[7] == 1)
}

private fun read(file: File): List<Case> = DataInputStream(file.inputStream().buffered()).use { input ->
    List(input.readInt()) {
        Case(
            input.readInt(),
            IntArray(input.readInt()) { input.readInt() },
            DoubleArray(input.readInt()) { input.readDouble() },
            List(input.readInt()) { FloatArray(input.readInt()) { input.readFloat() } },
        )
    }
}

/** The decoder of a case: made once, and called as often as one likes. */
private fun decoder(case: Case): () -> Any {
    val ints = case.ints
    val arrays = case.arrays
    val placement = case.placement
    val threshold = case.threshold
    return when (case.kind) {
        0 -> {
            val ssd = SsdDecoder(ints[0], case.corners(), case.selector())
            fun(): Any = ssd.decode(arrays[0], arrays[1], arrays.getOrNull(2), arrays.getOrNull(3), placement, threshold)
        }
        1 -> {
            val variances = case.doubles.copyOfRange(8, 12)
            val anchors = arrays.getOrNull(2)?.let { BoxAnchors(it, variances, ints[1] == BoxFormat.YXYX.ordinal) }
            val scores = ScoresDecoder(ints[0], ints[8], case.corners(), case.selector(), case.scoreForm(), anchors)
            fun(): Any = scores.decode(arrays[0], arrays[1], placement, threshold)
        }
        2 -> {
            val layout = YoloLayout(ints[8], ints[9] == 1, ints[10] == 1)
            val yolo = YoloDecoder(ints[0], layout, case.corners(), case.selector(), case.scoreForm())
            fun(): Any = yolo.decode(arrays[0], placement, threshold)
        }
        3 -> {
            val mask = MaskDecoder(ints[0], ints[1], ints[2], case.activation(3), ints[4] == 1)
            fun(): Any = mask.decode(arrays[0], threshold)
        }
        4 -> {
            val heatmap = HeatmapDecoder(ints[0], ints[1], ints[2], case.activation(3))
            fun(): Any = heatmap.decode(arrays[0], placement, threshold)
        }
        5 -> {
            val points = CoordinateDecoder(ints[0], ints[1], ints[2] == 1, ints[3].toFloat(), ints[4].toFloat())
            fun(): Any = points.decode(arrays[0], placement, threshold)
        }
        else -> {
            val embedding = EmbeddingDecoder(arrays[0].size)
            fun(): Any = embedding.decode(arrays[0])
        }
    }
}

private fun write(case: Case, result: Any, out: DataOutputStream) {
    val floats = ArrayList<Float>()
    val ints = ArrayList<Int>()
    when (result) {
        is Mask -> {
            val (width, height) = case.ints[5] to case.ints[6]
            val frame = result.onFrame(case.placement, width, height)
            ints += result.classes.asList() + frame.asList() + result.colors(frame).asList()
        }
        is Embedding -> {
            floats += result.values.asList()
            val cosine = Embedding(case.arrays[0]).similarity(Embedding(case.arrays[1])).toBits()
            ints += listOf((cosine shr 32).toInt(), cosine.toInt())
        }
        is List<*> -> for (found in result) {
            if (found is Box) {
                floats += listOf(found.left, found.top, found.right, found.bottom, found.score)
                ints += found.index
            } else if (found is Keypoint) {
                floats += listOf(found.x, found.y, found.score)
                ints += found.index
            }
        }
    }
    out.writeInt(floats.size)
    floats.forEach { out.writeInt(it.toBits()) }
    out.writeInt(ints.size)
    ints.forEach(out::writeInt)
}

/** Prints the time of the fastest call in microseconds, and how many bytes one makes but for its result. */
private fun measure(case: Case) {
    val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
    val call = decoder(case)
    var found = call()
    repeat(1000) { found = call() }
    val times = LongArray(1000)
    val before = threads.currentThreadAllocatedBytes
    for (i in times.indices) {
        val start = System.nanoTime()
        found = call()
        times[i] = System.nanoTime() - start
    }
    val bytes = threads.currentThreadAllocatedBytes - before
    val size = (found as? List<*>)?.size ?: 0
    println("${times.min() / 1000.0} ${bytes / times.size} $size")
}

fun main(arguments: Array<String>) {
    val cases = read(File(arguments[1]))
    if (arguments[0] == "measure") {
        cases.forEach(::measure)
        return
    }
    DataOutputStream(File(arguments[2]).outputStream().buffered()).use { out ->
        for (case in cases) {
            val call = decoder(case)
            // The buffers are used again: what is left of one call must not reach the next.
            call()
            write(case, call(), out)
        }
    }
}
