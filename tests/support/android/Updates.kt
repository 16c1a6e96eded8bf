import android.content.Context
import android.graphics.Bitmap
import com.example.digits.Digits
import com.example.digits.dropkit.Accelerator
import com.example.digits.dropkit.ModelSource
import com.example.digits.dropkit.ModelUpdates
import com.example.digits.dropkit.UpdateRefusedException
import com.example.digits.dropkit.UpdateTerms
import dropkit.desktop.DesktopContext
import java.io.File
import java.nio.ByteBuffer
import java.util.Properties

private val IMAGE = Bitmap.createBitmap(IntArray(64) { (0xFF shl 24) or (it * 0x030303) }, 8, 8, Bitmap.Config.ARGB_8888)

/** What an app does with models from files, buffers and over the air. Each line that it prints is `name = what came`. */
fun main(args: Array<String>) {
    val folder = File(args[0])
    val context = DesktopContext("dropkit.assets")
    val kept = File(context.noBackupFilesDir, "dropkit/digits")
    val names = File(folder, "order.txt").readLines()

    show("assets") { outputs(context, ModelSource.ASSETS) }
    val model = File(args[1])
    show("file") { outputs(context, ModelSource.of(model)) }
    show("heap buffer") { outputs(context, ModelSource.of(ByteBuffer.wrap(model.readBytes()))) }
    show("direct buffer") { outputs(context, ModelSource.of(direct(model.readBytes()))) }
    show("no file") { outputs(context, ModelSource.of(File(folder, "none.tflite"))) }
    show("no model") { outputs(context, ModelSource.of(ByteBuffer.wrap(ByteArray(64)))) }
    show("left in the cache") { File(context.cacheDir, "dropkit").list().orEmpty().count { it.endsWith(".tflite") } }

    val updates = Digits.updates(context)
    show("before") { "${updates.newest()}, ${updates.keptVersion()}, ${updates.problem}" }
    val running = create(context, updates.newest())
    for (name in names) {
        show("$name: kept") { updates.keep(File(folder, name)) }
        show("$name: newest") { updates.newest() }
        show("$name: running") { outputs(running) }
        show("$name: left") { kept.list().orEmpty().sorted() }
    }
    show("updated") { outputs(context, updates.newest()) }
    show("self-test of an update") { create(context, updates.newest()).use { it.selfTest().passed } }
    show("source of it") { create(context, updates.newest()).use { it.source } }

    // The next start of the app, after a byte of what is kept went bad.
    val version = updates.keptVersion()
    val file = File(kept, "$version/model.tflite")
    file.writeBytes(file.readBytes().also { it[it.size / 2] = (it[it.size / 2] + 1).toByte() })
    val next = Digits.updates(context)
    show("broken: newest") { next.newest() }
    show("broken: problem") { (next.problem as UpdateRefusedException).fault }
    show("broken: left") { kept.list().orEmpty().sorted() }
    show("broken: outputs") { outputs(context, next.newest()) }

    // The app itself comes with a model that is as new as the update.
    show("kept again") { next.keep(File(folder, names.first { it.startsWith("good") })) }
    val newer = ModelUpdates(kept, withVersion(args[2], 99)) { }
    show("newer app") { "${newer.newest()}, ${newer.problem}, ${kept.list().orEmpty().sorted()}" }

    // A folder is in the place of what a killed process left.
    File(kept, "new.partial").mkdirs()
    File(kept, "new.partial/model.tflite").writeBytes(ByteArray(9))
    show("after a kill") { "${next.newest()}, ${next.keep(File(folder, names.first { it.startsWith("good") }))}" }
    show("after a kill: left") { kept.list().orEmpty().sorted() }
    next.remove()
    show("removed") { "${next.newest()}, ${kept.list().orEmpty().sorted()}" }
    running.close()
}

private fun show(name: String, block: () -> Any?) {
    val found = try {
        block().toString()
    } catch (refused: UpdateRefusedException) {
        "${refused.fault}: ${refused.message}"
    } catch (error: Exception) {
        "${error.javaClass.simpleName}: ${error.message}"
    }
    println("$name = ${found.replace('\n', ' ')}")
}

private fun create(context: Context, source: ModelSource): Digits = Digits.create(context, listOf(Accelerator.CPU), source = source)

private fun outputs(context: Context, source: ModelSource): String = create(context, source).use { outputs(it) }

private fun outputs(digits: Digits): String = digits.classify(IMAGE).digit.contentToString()

private fun direct(bytes: ByteArray): ByteBuffer = ByteBuffer.allocateDirect(bytes.size).apply { put(bytes).flip() }

private fun withVersion(terms: String, version: Int): UpdateTerms {
    val read = Properties().apply { File(terms).inputStream().use { load(it) } }
    return UpdateTerms("digits", version, read.getProperty("key"), read.getProperty("signature"), read.getProperty("labels"))
}
