package dropkit

import java.io.InputStream
import java.security.MessageDigest

private const val DIGITS = "0123456789abcdef"
private const val PART = 1 shl 16

/** SHA-256 in hex. */
internal fun sha256(content: ByteArray): String = hex(MessageDigest.getInstance("SHA-256").digest(content))

/** SHA-256 in hex of all that a stream gives, which is closed. */
internal fun sha256(content: InputStream): String = content.use { stream ->
    val digest = MessageDigest.getInstance("SHA-256")
    val buffer = ByteArray(PART)
    while (true) {
        val count = stream.read(buffer)
        if (count < 0) break
        digest.update(buffer, 0, count)
    }
    hex(digest.digest())
}

internal fun hex(bytes: ByteArray): String = buildString {
    for (byte in bytes) append(DIGITS[byte.toInt() shr 4 and 15]).append(DIGITS[byte.toInt() and 15])
}
