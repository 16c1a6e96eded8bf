package dropkit

import kotlin.math.abs
import kotlin.math.floor
import kotlin.math.withSign

/** The model as the app carries it: its signatures, the main one first, and those for its variables where it keeps some. */
internal class BundleSpec(
    val id: String,
    val version: String,
    val signatures: List<Spec>,
    val read: Spec? = null,
    val assign: Spec? = null,
    /** Whether an operator keeps its state from call to call, which is not wanted. */
    val resets: Boolean = false,
) {
    /** Of the model, among the app's assets. */
    val model: String = "$id/model.tflite"

    /** Of the golden vectors, which debug builds carry. */
    val golden: String = "$id/golden.bin"

    /** Of what the CPU gave for seeded inputs, which an accelerator is verified with. */
    val expected: String = "$id/expected.bin"

    val all: List<Spec> = signatures + listOfNotNull(read, assign)
}

/** What a signature takes and gives. `prefix`: of its outputs in what a self-test says. */
internal class Spec(
    val key: String,
    val inputs: List<Tensor>,
    val outputs: List<Tensor>,
    val prefix: String = "",
    val trains: Boolean = false,
)

/** One tensor in one call. `allowed`: how far an output may be from the golden vectors, in steps where it is whole numbers. */
internal class Tensor(val name: String, val dtype: String, val shape: IntArray, val allowed: Double = 0.0) {
    val count: Int = shape.fold(1) { all, size -> all * size }
    val open: Boolean = -1 in shape
    val width: Int = widthOf(dtype)
    val unit: String = if (dtype == "float32") "in value" else "steps"

    fun requireSize(size: Int, wanted: Int = count) {
        require(size == wanted) { "'$name' is $dtype ${shape.contentToString()}, $wanted values, and $size were given" }
    }

    /** Whether a shape is this one, where -1 stands for any size. */
    fun takes(other: IntArray): Boolean =
        other.size == shape.size && other.indices.all { shape[it] == other[it] || (shape[it] == -1 && other[it] > 0) }
}

/** real = scale * (q - zeroPoint), and the limits of q's type. */
internal class Affine(val scale: Float, val zeroPoint: Int, val low: Int, val high: Int)

internal fun requireSize(name: String, size: Int, count: Int) {
    require(size == count) { "'$name' takes $count values, and $size were given" }
}

/** Bytes of one value. */
internal fun widthOf(dtype: String): Int = when (dtype) {
    "uint8", "int8", "bool" -> 1
    "int16" -> 2
    "float32", "int32" -> 4
    "int64" -> 8
    else -> error("$dtype has no array in Kotlin")
}

/** round(real / scale) + zeroPoint, halves away from zero, as TFLite's QUANTIZE does it. NaN is refused. */
internal fun quantize(real: Float, affine: Affine): Int {
    require(!real.isNaN()) { "a value is NaN, and whole numbers have no such thing" }
    val steps = (real / affine.scale).toDouble()
    val rounded = floor(abs(steps) + 0.5).withSign(steps) + affine.zeroPoint
    return rounded.coerceIn(affine.low.toDouble(), affine.high.toDouble()).toInt()
}

internal fun dequantize(q: Int, scale: Float, zeroPoint: Int): Float =
    (scale.toDouble() * (q.toLong() - zeroPoint)).toFloat()
