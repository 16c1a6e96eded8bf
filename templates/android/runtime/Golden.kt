package dropkit

import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.zip.CRC32

/** golden.bin: the outputs that the model gave for known inputs when it was built. `asset` is its name. */
internal class Golden(private val asset: String, content: ByteArray) {
    private val bytes = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN)
    private val sections = HashMap<String, Section>()

    init {
        check(content.size >= 16 && text(8) == "DKGOLD1\n") { "$asset is no file of golden vectors" }
        val sum = CRC32().apply { update(content, 12, content.size - 12) }.value
        check(sum == bytes.int.toLong() and 0xFFFFFFFFL) { "$asset is damaged: build the bundle again" }
        repeat(bytes.int) {
            val name = text(bytes.short.toInt() and 0xFFFF)
            sections[name] = section()
        }
    }

    /** Returns what it has of one tensor, its type and shape checked; null where it has nothing. */
    fun find(key: String, kind: String, tensor: Tensor, dtype: String = tensor.dtype): Section? {
        val section = sections["$key/$kind/${tensor.name}"] ?: return null
        val shape = section.shape.copyOfRange(minOf(1, section.shape.size), section.shape.size)
        check(section.dtype == dtype && tensor.takes(shape)) {
            "$asset is of another model: '${tensor.name}' is ${section.dtype} ${section.shape.contentToString()} in it"
        }
        return section
    }

    /** Returns what an input is made of, of any shape; null where it has nothing. */
    fun find(key: String, kind: String, name: String): Section? = sections["$key/$kind/$name"]

    private fun section(): Section {
        val dtype = text(bytes.short.toInt() and 0xFFFF)
        val shape = IntArray(bytes.get().toInt() and 0xFF) { bytes.int }
        val size = Math.toIntExact(bytes.long)
        val values = bytes.slice().order(ByteOrder.LITTLE_ENDIAN)
        skip(size)
        return Section(dtype, shape, values, size)
    }

    private fun text(size: Int): String = ByteArray(size).also { bytes.get(it) }.decodeToString()

    private fun skip(size: Int) {
        val whole: Buffer = bytes
        whole.position(whole.position() + size)
    }
}

/** The values of one tensor: [vectors, *shape of one call]. */
internal class Section(val dtype: String, val shape: IntArray, private val values: ByteBuffer, private val size: Int) {
    val vectors: Int
        get() = shape.firstOrNull() ?: 0

    /** Of one call. */
    val call: IntArray
        get() = shape.copyOfRange(1, shape.size)

    fun vector(index: Int): ByteArray {
        val all = values.duplicate()
        val part = ByteArray(size / vectors)
        val start: Buffer = all
        start.position(index * part.size)
        return part.also { all.get(it) }
    }
}

