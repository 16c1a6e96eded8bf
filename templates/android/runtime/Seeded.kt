package dropkit

import java.nio.ByteBuffer
import java.nio.ByteOrder

// Of splitmix64: 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB.
private const val STEP = -0x61c8864680b583ebL
private const val FIRST = -0x40a7b892e31b1a47L
private const val SECOND = -0x6b2fb644ecceee15L
private const val FLOAT_PARTS = 16777216.0 // 2^24

/** The seed of one input in one call: its number among the calls and its place among the inputs. */
internal fun seedOf(vector: Int, position: Int): Long = (vector.toLong() shl 32) + position

/**
 * Returns the bytes of values from low to high, in little endian, all equally likely. As kit/shared/seeded.py draws
 * them, bit for bit; of float32 `high` itself does not come.
 */
internal fun seeded(dtype: String, count: Int, low: Double, high: Double, seed: Long): ByteArray {
    val bytes = ByteBuffer.allocate(count * widthOf(dtype)).order(ByteOrder.LITTLE_ENDIAN)
    for (i in 1..count) {
        val drawn = mixed(i * STEP + seed)
        when (dtype) {
            "float32" -> bytes.putFloat((low + (high - low) * ((drawn ushr 40) / FLOAT_PARTS)).toFloat())
            "int64" -> bytes.putLong(whole(drawn, low, high))
            "int32" -> bytes.putInt(whole(drawn, low, high).toInt())
            "int16" -> bytes.putShort(whole(drawn, low, high).toShort())
            else -> bytes.put(whole(drawn, low, high).toByte())
        }
    }
    return bytes.array()
}

// 63 of the bits: a Long has a sign.
private fun whole(drawn: Long, low: Double, high: Double): Long = low.toLong() + (drawn ushr 1) % (high.toLong() - low.toLong() + 1)

private fun mixed(state: Long): Long {
    val first = (state xor (state ushr 30)) * FIRST
    val second = (first xor (first ushr 27)) * SECOND
    return second xor (second ushr 31)
}
