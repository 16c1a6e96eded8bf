package dropkit

import android.content.Context
import java.io.File
import java.io.FileInputStream

/**
 * The SHA-256 of the model file in hex. To read a model of many megabytes at each start takes longer than to load it, so
 * the digest is kept as long as the file is the same: each installation of the app has a folder of its own, and a file
 * has its size and time. Of an update it was checked when it was chosen.
 *
 * @param path of the model; null for the app's assets
 */
internal fun modelDigest(context: Context, spec: BundleSpec, source: ModelSource, path: String?): String {
    source.sha256?.let { return it }
    fun compute() = sha256(if (path == null) context.assets.open(spec.model) else FileInputStream(path))
    if (source.content != null) return compute() // its path is a new one each time
    val file = File(path ?: context.applicationInfo.sourceDir)
    val kept = Kept(File(context.cacheDir, "dropkit/${spec.id}/model"), "${file.path} ${file.length()} ${file.lastModified()}")
    return kept.read() ?: compute().also { kept.write(it) }
}
