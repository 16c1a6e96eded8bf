package dropkit

import kotlin.math.abs
import kotlin.math.floor

/** What is still to be applied to a model's scores. */
internal enum class Activation { NONE, SIGMOID, SOFTMAX }

/**
 * e to the power of x: 0 below -708, infinity above 709.
 *
 * A library's may differ in the last bit from one machine to the next; this one is postprocess.py's, bit for bit.
 */
internal fun exponential(x: Double): Double {
    if (x.isNaN()) return x
    if (x < -708.0) return 0.0
    if (x > 709.0) return Double.POSITIVE_INFINITY
    val power = floor(x * 1.4426950408889634 + 0.5)
    val rest = (x - power * 0.6931471803691238) - power * 1.9082149292705877e-10
    var value = TERMS[TERMS.size - 1]
    for (term in TERMS.size - 2 downTo 0) value = value * rest + TERMS[term]
    return Math.scalb(value, power.toInt())
}

/** 1 / (1 + e^-x), computed in 64 bits. */
internal fun sigmoid(x: Float): Float = sigmoid(x.toDouble()).toFloat()

internal fun sigmoid(x: Double): Double {
    // e to the power of a negative number only: it cannot overflow.
    val small = exponential(-abs(x))
    return (if (x < 0) small else 1.0) / (1.0 + small)
}

internal fun sigmoid(values: DoubleArray) {
    for (i in values.indices) values[i] = sigmoid(values[i])
}

/** The softmax of one value alone. */
internal fun softmax(value: Double): Double = if (value.isFinite()) 1.0 else Double.NaN

internal fun softmax(values: DoubleArray) {
    var highest = Double.NEGATIVE_INFINITY
    for (value in values) highest = maxOf(highest, value)
    var sum = 0.0
    for (i in values.indices) {
        values[i] = exponential(values[i] - highest)
        sum += values[i]
    }
    for (i in values.indices) values[i] /= sum
}

/** 1 / n! for n = 0, 1, ..., 13. */
private val TERMS: DoubleArray = DoubleArray(14).also { terms ->
    var factorial = 1.0
    for (n in terms.indices) {
        if (n > 1) factorial *= n
        terms[n] = 1.0 / factorial
    }
}
