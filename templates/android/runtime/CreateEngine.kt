package dropkit

import android.content.Context
import android.os.Build
import com.google.ai.edge.litert.BuiltinNpuAcceleratorProvider
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.Environment
import com.google.ai.edge.litert.NpuAcceleratorProvider
import java.io.File

/** What can run the model: LiteRT's own names. */
public typealias Accelerator = com.google.ai.edge.litert.Accelerator

/** In which numbers a GPU computes: LiteRT's own names. */
public typealias GpuPrecision = CompiledModel.GpuOptions.Precision

/** Tries an accelerator before it is used. */
internal interface Verifier {
    /** Returns what `make` makes. Throws with the reason where the candidate must not be used. */
    fun verified(candidate: Candidate, make: () -> Engine): Engine
}

/** An accelerator that may run the model. `model`: the SHA-256 of its file. */
internal class Candidate(val accelerator: Accelerator, val precision: GpuPrecision, val model: String)

/** Compiles the model for the first accelerator that takes it. */
internal fun createEngine(
    context: Context,
    spec: BundleSpec,
    accelerators: List<Accelerator>,
    threads: Int?,
    precision: GpuPrecision,
    source: ModelSource,
    verifier: Verifier? = null,
): Engine {
    val npu = BuiltinNpuAcceleratorProvider(context)
    // Given a context, LiteRT keeps what it compiles for an NPU in the app's cache folder.
    val environment = Environment.create(context, npu)
    return try {
        source.onDisk(context, spec.id) { path ->
            val digest = lazy { modelDigest(context, spec, source, path) }
            val maker = EngineMaker(context, spec, npu, environment, threads, precision, path, digest)
            firstThatRuns(spec, accelerators) { accelerator, failed -> maker.make(accelerator, failed, verifier) }
        }
    } catch (error: Throwable) {
        environment.close()
        throw error
    }
}

private class EngineMaker(
    private val context: Context,
    private val spec: BundleSpec,
    private val npu: NpuAcceleratorProvider,
    private val environment: Environment,
    private val threads: Int?,
    private val precision: GpuPrecision,
    private val path: String?,
    digest: Lazy<String>,
) {
    private val digest by digest

    fun make(accelerator: Accelerator, failed: List<Attempt>, verifier: Verifier?): Engine {
        if (accelerator == Accelerator.CPU) return compile(accelerator, failed)
        if (accelerator == Accelerator.NPU) checkNpu()
        check(accelerator in environment.getAvailableAccelerators()) { "there is none on this device, or no library for it in the app" }
        if (verifier == null) return compile(accelerator, failed)
        return verifier.verified(Candidate(accelerator, precision, digest)) { compile(accelerator, failed) }
    }

    /** Asked for an NPU, LiteRT adds the CPU in silence, and given a folder for libraries it counts an NPU, whatever is in there. */
    private fun checkNpu() {
        check(npu.isDeviceSupported()) { "not supported: LiteRT knows no NPU of this device's chip" }
        val folder = npu.getLibraryDir()
        val libraries = File(folder).list { _, name -> name.startsWith("libLiteRtDispatch") && name.endsWith(".so") }
        check(!libraries.isNullOrEmpty()) { "not supported: no library for it (libLiteRtDispatch*.so) is in the app's $folder" }
    }

    private fun compile(accelerator: Accelerator, failed: List<Attempt>): Engine {
        val options = CompiledModel.Options(accelerator)
        if (accelerator == Accelerator.CPU && threads != null) options.cpuOptions = CompiledModel.CpuOptions(numThreads = threads)
        if (accelerator == Accelerator.GPU) options.gpuOptions = gpuOptions()
        val model = if (path == null) {
            CompiledModel.create(context.assets, spec.model, options, environment)
        } else {
            CompiledModel.create(path, options, environment)
        }
        return try {
            Engine(environment, model, failed + Attempt(accelerator, null), spec)
        } catch (error: Throwable) {
            model.close()
            throw error
        }
    }

    /** With the folder where the GPU's programs are kept: those of this model and OS alone. */
    private fun gpuOptions(): CompiledModel.GpuOptions {
        val key = sha256("${Build.FINGERPRINT}\n$digest".encodeToByteArray()).take(16)
        val all = File(context.cacheDir, "dropkit/${spec.id}/gpu")
        val own = File(all, key)
        for (other in all.listFiles().orEmpty()) if (other.name != key) other.deleteRecursively()
        if (!own.isDirectory && !own.mkdirs()) return CompiledModel.GpuOptions(precision = precision)
        return CompiledModel.GpuOptions(
            precision = precision,
            serializationDir = own.path,
            modelCacheKey = "$key-$precision".lowercase(),
            serializeProgramCache = true,
        )
    }
}
