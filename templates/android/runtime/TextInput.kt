package dropkit

/** What happens to a text before it is split. As in Keras, only ASCII letters and ASCII punctuation are meant. */
internal enum class Standardize(
    val lower: Boolean,
    val strip: Boolean,
) {
    LOWER_AND_STRIP_PUNCTUATION(true, true),
    LOWER(true, false),
    STRIP_PUNCTUATION(false, true),
    NONE(false, false),
}

/** What a text is split into. */
internal enum class Split { WHITESPACE, CHARACTER, NONE }

/**
 * Turns text into the ids that the model takes, as the bundle's own text.py does.
 *
 * @param lines of the vocabulary's file, the token of id 0 first; `\\`, `\n` and `\r` in a token are escaped.
 * @param unknown the id of a token that is not in the vocabulary: where it is 1, id 0 is the empty token's.
 */
internal class TextInput(
    lines: List<String>,
    private val standardize: Standardize = Standardize.LOWER_AND_STRIP_PUNCTUATION,
    private val split: Split = Split.WHITESPACE,
    private val unknown: Int = 1,
) {
    private val table = HashMap<String, Int>(lines.size * 2)

    init {
        require(unknown in 0..1 && lines.size > unknown) { "${lines.size} tokens, and $unknown for unknown ones" }
        for (id in unknown + 1 until lines.size) table[unescaped(lines[id])] = id
        if (unknown == 1) table[unescaped(lines[0])] = 0
    }

    /** Returns the id of each token. An empty text has none, unless it is not split. */
    fun ids(text: String): IntArray {
        val found = IntList()
        each(text) { found.add(it) }
        return found.toArray()
    }

    /** Fills `into` with the ids, cut or filled up with 0, and returns how many tokens the text has. */
    fun fill(
        text: String,
        into: IntArray,
    ): Int {
        var count = 0
        each(text) {
            if (count < into.size) into[count] = it
            count++
        }
        if (count < into.size) into.fill(0, count)
        return count
    }

    /** Fills `into` with the ids, cut or filled up with 0, and returns how many tokens the text has. */
    fun fill(
        text: String,
        into: LongArray,
    ): Int {
        var count = 0
        each(text) {
            if (count < into.size) into[count] = it.toLong()
            count++
        }
        if (count < into.size) into.fill(0L, count)
        return count
    }

    /** Says how many of a text's tokens are not in the vocabulary. */
    fun countUnknown(text: String): Int {
        var count = 0
        each(text) { if (it == unknown) count++ }
        return count
    }

    private inline fun each(
        text: String,
        take: (Int) -> Unit,
    ) {
        val plain = standardized(text)
        if (split == Split.NONE) {
            take(idOf(plain))
            return
        }
        val whole = split == Split.CHARACTER
        var start = 0
        while (start < plain.length) {
            val end = if (whole) start + Character.charCount(plain.codePointAt(start)) else wordEnd(plain, start)
            if (end > start) take(idOf(plain, start, end))
            start = if (whole) end else end + 1
        }
    }

    private fun idOf(
        text: String,
        start: Int,
        end: Int,
    ): Int {
        if (split == Split.CHARACTER && isNoncharacter(text.codePointAt(start))) return idOf(REPLACEMENT)
        return idOf(text.substring(start, end))
    }

    private fun idOf(token: String): Int = table[token] ?: unknown

    /** Lower, without punctuation, and with U+FFFD for surrogates without a partner, which UTF-8 cannot hold. */
    private fun standardized(text: String): String {
        val made = StringBuilder(text.length)
        for (place in text.indices) {
            val char = text[place]
            when {
                standardize.strip && isPunctuation(char) -> {}
                standardize.lower && char in 'A'..'Z' -> made.append(char + 32)
                char.isSurrogate() && !isPaired(text, place) -> made.append(REPLACEMENT)
                else -> made.append(char)
            }
        }
        return made.toString()
    }

    private companion object {
        const val REPLACEMENT = "\uFFFD"

        fun isSpace(char: Char): Boolean = char == ' ' || char in '\t'..'\r'

        fun isPunctuation(char: Char): Boolean =
            char in '!'..'/' || char in ':'..'@' || char in '['..'`' || char in '{'..'~'

        /** Whether Unicode keeps a code point from text. */
        fun isNoncharacter(code: Int): Boolean = code in 0xFDD0..0xFDEF || code and 0xFFFE == 0xFFFE

        fun wordEnd(
            text: String,
            start: Int,
        ): Int {
            var end = start
            while (end < text.length && !isSpace(text[end])) end++
            return end
        }

        fun isPaired(
            text: String,
            place: Int,
        ): Boolean =
            if (text[place].isHighSurrogate()) {
                place + 1 < text.length && text[place + 1].isLowSurrogate()
            } else {
                place > 0 && text[place - 1].isHighSurrogate()
            }

        fun unescaped(line: String): String {
            if ('\\' !in line) return line
            val made = StringBuilder(line.length)
            var place = 0
            while (place < line.length) {
                val char = line[place++]
                require(char != '\\' || place < line.length) { "'$line' ends in an escape" }
                made.append(if (char == '\\') plain(line[place++]) else char)
            }
            return made.toString()
        }

        private fun plain(escaped: Char): Char =
            when (escaped) {
                '\\' -> '\\'
                'n' -> '\n'
                'r' -> '\r'
                else -> throw IllegalArgumentException("'\\$escaped' is no escape")
            }
    }
}

/** Ints that grow. */
private class IntList {
    private var values = IntArray(16)
    private var size = 0

    fun add(value: Int) {
        if (size == values.size) values = values.copyOf(size * 2)
        values[size++] = value
    }

    fun toArray(): IntArray = values.copyOf(size)
}
