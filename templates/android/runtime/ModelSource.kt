package dropkit

import android.content.Context
import java.io.File
import java.io.FileInputStream
import java.io.FileNotFoundException
import java.io.FileOutputStream
import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel

private const val STALE_MILLISECONDS = 3_600_000L

/**
 * Where `create` takes the model from.
 *
 * A file or a buffer has to be this bundle's model, or one of its variants: names are checked, what is in it is not. A
 * model that comes over the air is checked by [ModelUpdates], where the class has a key.
 */
public class ModelSource private constructor(
    internal val file: File?,
    internal val content: ByteBuffer?,
    /** The version of an update; null of any other model. */
    public val updateVersion: Int?,
    /** What an accelerator is verified with for an update; null of one that has none, and of any other model. */
    internal val expected: File? = null,
    /** Of an update, in hex: it was checked. */
    internal val sha256: String? = null,
) {
    /** The model's bytes for an interpreter, mapped and not copied. Null of the app's assets. */
    internal fun bytes(): ByteBuffer? {
        if (content != null) return outside(content)
        return FileInputStream(readable() ?: return null).use { it.channel.map(FileChannel.MapMode.READ_ONLY, 0, it.channel.size()) }
    }

    /**
     * Calls `block` with the path of the model; with null for the app's assets.
     *
     * CompiledModel takes no buffer: it is written to the app's cache, and removed when the block ends.
     */
    internal fun <T> onDisk(context: Context, id: String, block: (String?) -> T): T {
        if (content == null) return block(readable()?.path)
        val folder = File(context.cacheDir, "dropkit")
        folder.mkdirs()
        // Of a process that ended meanwhile. Who has such a file open keeps what is in it.
        val before = System.currentTimeMillis() - STALE_MILLISECONDS
        for (old in folder.listFiles().orEmpty()) if (old.name.startsWith("$id-") && old.lastModified() < before) old.delete()
        val copy = File.createTempFile("$id-", ".tflite", folder)
        return try {
            FileOutputStream(copy).use { out ->
                val rest = content.duplicate()
                while (rest.hasRemaining()) out.channel.write(rest)
            }
            block(copy.path)
        } finally {
            copy.delete()
        }
    }

    private fun readable(): File? {
        if (file != null && !file.isFile) throw FileNotFoundException("$file: there is no model")
        return file
    }

    override fun toString(): String = when {
        updateVersion != null -> "update $updateVersion"
        file != null -> file.path
        content != null -> "a buffer of ${content.remaining()} bytes"
        else -> "the app's assets"
    }

    public companion object {
        /** The app's assets, also those of an AI pack that Play installs together with the app. */
        @JvmField
        public val ASSETS: ModelSource = ModelSource(null, null, null)

        /** A file, as that of an AI pack which Play fetches later. It has to stay as long as the model is open. */
        @JvmStatic
        public fun of(file: File): ModelSource = ModelSource(file, null, null)

        /** A buffer, from its position to its limit. It must not change as long as the model is open. */
        @JvmStatic
        public fun of(content: ByteBuffer): ModelSource = ModelSource(null, content.slice(), null)

        internal fun update(file: File, version: Int, expected: File? = null, sha256: String? = null): ModelSource =
            ModelSource(file, null, version, expected, sha256)
    }
}

/** The same bytes where an interpreter reads them: outside the heap, in the machine's order. */
private fun outside(content: ByteBuffer): ByteBuffer {
    if (content.isDirect) return content.slice().order(ByteOrder.nativeOrder())
    val copy = ByteBuffer.allocateDirect(content.remaining()).order(ByteOrder.nativeOrder())
    copy.put(content.duplicate())
    val whole: Buffer = copy
    whole.rewind()
    return copy
}
