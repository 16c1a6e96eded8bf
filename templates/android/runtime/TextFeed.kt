package dropkit

import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * One input that a text becomes: its ids, cut or filled up with 0.
 *
 * @param count how many ids a call takes.
 * @param wide whether they are 64-bit numbers.
 */
internal class TextFeed(
    override val name: String,
    private val input: TextInput,
    count: Int,
    private val wide: Boolean,
) : RawFeed {
    override val kind: String = "text"
    private val ids = IntArray(if (wide) 0 else count)
    private val wideIds = LongArray(if (wide) count else 0)

    fun load(text: String, call: Call) {
        fill(text)
        if (wide) call.input(name).write(wideIds) else call.input(name).write(ids)
    }

    /** `given` is UTF-8, filled up with 0xFF. */
    override fun raw(given: ByteArray): ByteArray {
        val end = given.indexOf(0xFF.toByte()).let { if (it < 0) given.size else it }
        fill(given.decodeToString(0, end))
        val bytes = ByteBuffer.allocate(4 * ids.size + 8 * wideIds.size).order(ByteOrder.LITTLE_ENDIAN)
        for (id in ids) bytes.putInt(id)
        for (id in wideIds) bytes.putLong(id)
        return bytes.array()
    }

    private fun fill(text: String) {
        if (wide) input.fill(text, wideIds) else input.fill(text, ids)
    }
}
