package dropkit

import kotlin.math.sqrt

/**
 * A vector of length 1 that stands for an input: alike inputs have vectors of nearly one direction.
 *
 * @property values of length 1; zeros stay zeros. Given to the next call as `reuse`, they are filled anew.
 */
public class Embedding internal constructor(public val values: FloatArray) {
    /** The cosine of the angle between the two: 1 for one direction, 0 for a right angle and with zeros alone. */
    public fun similarity(other: Embedding): Double {
        require(other.values.size == values.size) { "${values.size} values and ${other.values.size}" }
        val length = sqrt(product(values, values)) * sqrt(product(other.values, other.values))
        return if (length == 0.0) 0.0 else product(values, other.values) / length
    }

    /** Returns these values in an object of their own. */
    public fun copy(): Embedding = Embedding(values.copyOf())
}

/** Real values to a vector of length 1. */
internal class EmbeddingDecoder(private val size: Int) {
    fun decode(values: FloatArray, reuse: Embedding? = null): Embedding {
        val embedding = reuse ?: Embedding(FloatArray(size))
        val length = sqrt(product(values, values))
        for (place in values.indices) {
            embedding.values[place] = if (length == 0.0) values[place] else (values[place] / length).toFloat()
        }
        return embedding
    }
}

/** The sum of products, term by term, in 64 bits. */
private fun product(one: FloatArray, other: FloatArray): Double {
    var sum = 0.0
    for (place in one.indices) sum += one[place].toDouble() * other[place].toDouble()
    return sum
}
