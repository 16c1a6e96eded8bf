package dropkit

import java.io.File
import java.io.FileOutputStream
import java.io.IOException

private const val PARTIAL = ".partial"

// Of one process: two threads may take updates of one model.
private val LOCK = Any()

/** Why an update was refused. */
public enum class UpdateFault {
    /** It is no update, or cut, or of a format that this app does not read. */
    UNREADABLE,

    /** Its manifest is not signed with the key that belongs to the class, or was changed since. */
    WRONG_KEY,

    /** It is of another bundle. */
    OTHER_MODEL,

    /** Its names, order, types, shapes, quantization or pre-processing are not those that the class is made for. */
    OTHER_SIGNATURE,

    /** Its labels, vocabulary or anchors are not those of the app. */
    OTHER_LABELS,

    /** Its version is not above that of the app's own model and of the update that is kept. */
    OLD_VERSION,

    /** A file in it is not the one that was signed: another byte in it, or too few or too many. */
    DAMAGED,

    /** The app's runtime cannot load the model. */
    DOES_NOT_LOAD,
}

/** An update was refused, and everything is as it was before. */
public class UpdateRefusedException internal constructor(
    public val fault: UpdateFault,
    why: String,
    cause: Throwable? = null,
) : Exception("the update is refused: $why", cause)

/**
 * Models that came over the air: each signed, checked, and kept for the next `create`. `updates` of the model's class makes one.
 *
 * How an update gets onto the device is the app's own affair. Everything here reads or writes files: off the main thread.
 */
public class ModelUpdates internal constructor(
    private val folder: File,
    private val terms: UpdateTerms,
    /** Loads a model and frees it again. Throws where that fails. */
    private val tryOut: (ModelSource) -> Unit,
) {
    /** Why [newest] did not give what was kept; null where it did, or nothing was. */
    @Volatile
    public var problem: Exception? = null
        private set

    /**
     * Checks an update and keeps it in the place of the one before: [newest] gives it from then on. A model that runs
     * stays as it is, until the app closes it and calls `create` again.
     *
     * @param update what `kit sign` wrote: a zip, or a folder of what is in it. It can be deleted afterwards.
     * @return the version that is kept now.
     * @throws UpdateRefusedException where it must not run in this app; then nothing changes.
     * @throws IOException where it cannot be read or kept, as on a full disk; then nothing changes.
     */
    @Throws(UpdateRefusedException::class, IOException::class)
    public fun keep(update: File): Int = synchronized(LOCK) {
        val partial = File(folder, "new$PARTIAL")
        partial.deleteRecursively() // of a process that ended meanwhile
        try {
            val version = UpdateContents.of(update) { copy(it, partial) }
            tryToLoad(partial, version)
            if (!partial.renameTo(kept(version))) throw IOException("$folder cannot be written")
            for (other in versions()) if (other != version) kept(other).deleteRecursively()
            version
        } finally {
            partial.deleteRecursively()
        }
    }

    /**
     * The newest model that there is, for `create`: the update that is kept, or the app's own.
     *
     * The update is checked again, all of it. Where it is broken it is removed, [problem] says why, and the app's own
     * model is given. The same where a newer app brings a model that is as new: the update is removed then.
     */
    public fun newest(): ModelSource = synchronized(LOCK) {
        problem = null
        for (version in versions().sortedDescending()) {
            try {
                if (version > terms.version) return checked(version)
            } catch (refused: UpdateRefusedException) {
                problem = refused
            } catch (error: IOException) {
                problem = error // of the disk, and perhaps not for ever
                continue
            }
            kept(version).deleteRecursively()
        }
        ModelSource.ASSETS
    }

    /** The version of the update that is kept; null where there is none. Only [newest] checks it. */
    public fun keptVersion(): Int? = synchronized(LOCK) { versions().filter { it > terms.version }.maxOrNull() }

    /** Removes what is kept: the next `create` takes the app's own model. */
    public fun remove(): Unit = synchronized(LOCK) { for (version in versions()) kept(version).deleteRecursively() }

    private fun versions(): List<Int> = folder.list().orEmpty().mapNotNull { it.toIntOrNull() }

    private fun kept(version: Int) = File(folder, version.toString())

    /** Copies a checked update into a new folder, each file on the disk before this ends; returns its version. */
    private fun copy(contents: UpdateContents, into: File): Int {
        val manifest = contents.read(UpdateContents.MANIFEST, UpdateContents.MOST_MANIFEST)
        val signed = contents.read(UpdateContents.SIGNATURE, UpdateContents.MOST_SIGNATURE)
        val checked = terms.check(manifest, signed)
        val present = maxOf(terms.version, keptVersion() ?: 0)
        if (checked.version <= present) {
            throw UpdateRefusedException(UpdateFault.OLD_VERSION, "its version is ${checked.version}, and the app has $present")
        }
        if (!into.mkdirs()) throw IOException("$folder cannot be written")
        write(File(into, UpdateContents.MANIFEST)) { it.write(manifest) }
        write(File(into, UpdateContents.SIGNATURE)) { it.write(signed) }
        for (file in checked.files) {
            write(File(into, file.name)) { out -> contents.readSigned(file) { bytes, size -> out.write(bytes, 0, size) } }
        }
        return checked.version
    }

    /** Checks what is kept of a version, and returns its model. */
    private fun checked(version: Int): ModelSource = UpdateContents.of(kept(version)) { contents ->
        val manifest = contents.read(UpdateContents.MANIFEST, UpdateContents.MOST_MANIFEST)
        val checked = terms.check(manifest, contents.read(UpdateContents.SIGNATURE, UpdateContents.MOST_SIGNATURE))
        if (checked.version != version) {
            throw UpdateRefusedException(UpdateFault.DAMAGED, "version ${checked.version} was kept as $version")
        }
        for (file in checked.files) contents.readSigned(file) { _, _ -> }
        val expected = checked.expected?.let { File(kept(version), it.name) }
        ModelSource.update(File(kept(version), checked.model.name), version, expected, checked.model.sha256)
    }

    private fun tryToLoad(partial: File, version: Int) {
        try {
            tryOut(ModelSource.update(File(partial, UpdateContents.MODEL), version))
        } catch (error: RuntimeException) {
            throw UpdateRefusedException(UpdateFault.DOES_NOT_LOAD, "this app's runtime cannot load it: ${error.message ?: error}", error)
        }
    }
}

/** Writes a file that is on the disk when this ends. */
private inline fun write(file: File, block: (FileOutputStream) -> Unit) {
    FileOutputStream(file).use {
        block(it)
        it.fd.sync()
    }
}
