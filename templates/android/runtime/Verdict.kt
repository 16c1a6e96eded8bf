package dropkit

import java.io.File
import java.io.FileOutputStream
import java.io.IOException

/**
 * What is known of one accelerator, in a file of the app's cache folder: a line with the key that it holds for, then the
 * verdict. Where the file cannot be written, nothing is kept, and the accelerator is tried again at the next start.
 */
internal class Verdict(private val file: File, private val key: String) {
    /** Returns the verdict; null where there is none for this key. */
    fun read(): String? {
        val lines = try {
            file.readText().split('\n', limit = 2)
        } catch (error: IOException) {
            return null
        }
        return lines.last().takeIf { lines.size == 2 && lines.first() == key }
    }

    /** Puts a verdict in the place of the one before, on the disk before it returns: the next step may end the process. */
    fun write(verdict: String) {
        val next = File("${file.path}.next")
        try {
            file.parentFile?.mkdirs()
            FileOutputStream(next).use {
                it.write("$key\n$verdict".encodeToByteArray())
                it.fd.sync()
            }
            next.renameTo(file)
        } catch (error: IOException) {
            next.delete()
        }
    }

    fun forget() {
        file.delete()
    }
}
