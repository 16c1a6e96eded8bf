package dropkit

import java.io.Closeable
import java.io.EOFException
import java.io.File
import java.io.FileInputStream
import java.io.FileNotFoundException
import java.io.InputStream
import java.security.MessageDigest
import java.util.zip.ZipException
import java.util.zip.ZipFile

private const val CHUNK = 1 shl 16

/** The files of an update: in one zip, or in a folder. They are asked for by name, so no name in a zip becomes a path. */
internal class UpdateContents private constructor(private val place: File, private val zip: ZipFile?) : Closeable {
    /** The whole of a small file. Refuses the update where it is missing, or has more bytes than `most`. */
    fun read(name: String, most: Int): ByteArray = open(name).use { from ->
        val bytes = ByteArray(most + 1)
        var size = 0
        while (size < bytes.size) {
            val read = from.read(bytes, size, bytes.size - size)
            if (read < 0) break
            size += read
        }
        if (size > most) throw unreadable(place, "its $name has more than $most bytes")
        bytes.copyOf(size)
    }

    /** Gives a file's bytes to `take`, part by part. Refuses it at the end, or as soon as there are too many. */
    fun readSigned(file: SignedFile, take: (ByteArray, Int) -> Unit) {
        val digest = MessageDigest.getInstance("SHA-256")
        val bytes = ByteArray(CHUNK)
        var left = file.bytes
        open(file.name).use { from ->
            while (left >= 0) {
                val size = from.read(bytes)
                if (size < 0) break
                left -= size
                if (left < 0) break
                digest.update(bytes, 0, size)
                take(bytes, size)
            }
        }
        if (left != 0 || hex(digest.digest()) != file.sha256) {
            throw UpdateRefusedException(UpdateFault.DAMAGED, "its ${file.name} is not the one that was signed")
        }
    }

    override fun close() {
        zip?.close()
    }

    private fun open(name: String): InputStream = try {
        if (zip == null) FileInputStream(File(place, name)) else zip.getInputStream(zip.getEntry(name) ?: throw FileNotFoundException())
    } catch (error: FileNotFoundException) {
        throw unreadable(place, "there is no $name in it", error)
    }

    companion object {
        const val MANIFEST: String = "update.json"
        const val SIGNATURE: String = "update.sig"
        const val MODEL: String = "model.tflite"
        const val EXPECTED: String = "expected.bin"
        const val MOST_MANIFEST: Int = 65_536
        const val MOST_SIGNATURE: Int = 256

        /** Calls `block` with the contents of an update. What is none, or cut, is refused. */
        fun <T> of(place: File, block: (UpdateContents) -> T): T = try {
            if (!place.exists()) throw unreadable(place, "there is no such file")
            UpdateContents(place, if (place.isDirectory) null else ZipFile(place)).use(block)
        } catch (error: ZipException) {
            throw unreadable(place, "it is no zip, or a part of one: ${error.message}", error)
        } catch (error: EOFException) {
            throw unreadable(place, "it ends too early", error)
        }
    }
}

private fun unreadable(place: File, why: String, cause: Throwable? = null) =
    UpdateRefusedException(UpdateFault.UNREADABLE, "$place is no update that this app reads: $why", cause)
