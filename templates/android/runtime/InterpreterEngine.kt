package dropkit

import android.content.Context
import android.content.res.AssetManager
import java.io.FileInputStream
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel

/** What can run the model without another dependency: the CPU, with XNNPACK's kernels or TensorFlow Lite's own. */
public enum class Accelerator { XNNPACK, CPU }

/** The interpreter with all its buffers: one interpreter, for kept variables live in it. */
internal class Engine(
    private val interpreter: LinkedInterpreter,
    val attempts: List<Attempt>,
    spec: BundleSpec,
) : AutoCloseable {
    private val calls = spec.all.associate { it.key to Call(interpreter, it, spec.resets) }

    fun call(key: String): Call = calls.getValue(key)

    override fun close() = interpreter.close()
}

/** Loads the model into an interpreter with the first of these kernels that take it. */
internal fun createEngine(
    context: Context,
    spec: BundleSpec,
    accelerators: List<Accelerator>,
    threads: Int?,
    source: ModelSource,
): Engine {
    val content = source.bytes() ?: map(context.assets, spec.model)
    prepare(context)
    return firstThatRuns(spec, accelerators) { accelerator, failed -> load(content, spec, accelerator, threads, failed) }
}

private fun load(
    content: ByteBuffer,
    spec: BundleSpec,
    accelerator: Accelerator,
    threads: Int?,
    failed: List<Attempt>,
): Engine {
    val interpreter = open(content, accelerator == Accelerator.XNNPACK, threads)
    return try {
        // Open axes have no size before the first call.
        if (spec.all.none { signature -> signature.inputs.any { it.open } }) interpreter.allocateTensors()
        Engine(interpreter, failed + Attempt(accelerator, null), spec)
    } catch (error: Throwable) {
        interpreter.close()
        throw error
    }
}

/** No input at all. The interpreter refuses an empty map, though a signature may take nothing: it is never asked for this one. */
internal object NoInputs : AbstractMap<String, Any>() {
    override val entries: Set<Map.Entry<String, Any>> = setOf()

    override fun isEmpty(): Boolean = false
}

/** The model's bytes, mapped and not copied: a compressed asset cannot be. */
private fun map(assets: AssetManager, model: String): ByteBuffer {
    val asset = try {
        assets.openFd(model)
    } catch (error: IOException) {
        val remedy = "keep it uncompressed: android { androidResources { noCompress += \"tflite\" } }"
        throw IOException("$model cannot be mapped. It is not among the assets, or compressed; $remedy", error)
    }
    return asset.use {
        FileInputStream(it.fileDescriptor).use { file ->
            file.channel.map(FileChannel.MapMode.READ_ONLY, it.startOffset, it.declaredLength)
        }
    }
}
