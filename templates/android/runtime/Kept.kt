package dropkit

import java.io.File
import java.io.FileOutputStream
import java.io.IOException

/**
 * What was found out at an earlier start, in a file of the app's cache folder: a line with the key that it holds for, then
 * what it is. Where the file cannot be written, nothing is kept, and the next start finds it out again.
 */
internal class Kept(private val file: File, private val key: String) {
    /** Returns what is kept; null where there is nothing for this key. */
    fun read(): String? {
        val lines = try {
            file.readBytes().decodeToString().split('\n', limit = 2)
        } catch (error: IOException) {
            return null
        }
        return lines.last().takeIf { lines.size == 2 && lines.first() == key }
    }

    /** Takes the place of what was kept before, on the disk before it returns: the next step may end the process. */
    fun write(found: String) {
        val next = File("${file.path}.next")
        try {
            file.parentFile?.mkdirs()
            FileOutputStream(next).use {
                it.write("$key\n$found".encodeToByteArray())
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
