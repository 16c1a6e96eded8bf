package dropkit

import java.io.DataInputStream
import java.io.DataOutputStream
import java.io.File

/** Texts as their chars: a decoder of UTF-16 would replace the surrogates that this is about. */
private fun DataInputStream.words(): List<String> = List(readInt()) { String(CharArray(readInt()) { readChar() }) }

/** The ids of a text, once all functions of [TextInput] have given the same. */
private fun TextInput.checked(text: String): IntArray {
    val ids = ids(text)
    for (length in listOf(1, 7, ids.size)) {
        val ints = IntArray(length) { -1 }
        val longs = LongArray(length) { -1 }
        check(fill(text, ints) == ids.size && fill(text, longs) == ids.size)
        check(ints.contentEquals(ids.copyOf(length)) && longs.contentEquals(LongArray(length) { ints[it].toLong() }))
    }
    return ids
}

fun main(arguments: Array<String>) {
    val input = DataInputStream(File(arguments[0]).inputStream().buffered())
    DataOutputStream(File(arguments[1]).outputStream().buffered()).use { out ->
        repeat(input.readInt()) {
            val lines = input.words()
            val (standardize, split) = Standardize.entries[input.readInt()] to Split.entries[input.readInt()]
            val unknown = input.readInt()
            val form = TextInput(lines, standardize, split, unknown)
            for (text in input.words()) {
                val ids = form.checked(text)
                out.writeInt(form.countUnknown(text).also { count -> check(count == ids.count { it == unknown }) })
                out.writeInt(ids.size)
                ids.forEach(out::writeInt)
            }
        }
    }
}
