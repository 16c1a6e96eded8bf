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
internal fun sigmoid(x: Float): Float {
    val exact = x.toDouble()
    val small = exponential(-abs(exact))
    return ((if (exact < 0) small else 1.0) / (1.0 + small)).toFloat()
}

/** 1 / n! for n = 0, 1, ..., 13. */
private val TERMS: DoubleArray = DoubleArray(14).also { terms ->
    var factorial = 1.0
    for (n in terms.indices) {
        if (n > 1) factorial *= n
        terms[n] = 1.0 / factorial
    }
}
