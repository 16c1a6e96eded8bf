package dropkit

import android.content.res.AssetManager
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.withContext

/** One accelerator that was tried. */
public class Attempt internal constructor(
    public val accelerator: Accelerator,
    /** Why it does not run the model; null where it does. */
    public val error: String?,
) {
    override fun toString(): String = "$accelerator: ${error ?: "runs"}"
}

/**
 * Returns what `make` makes for the first accelerator that runs the model; it is given those that failed before.
 *
 * @throws IllegalStateException where none runs it, with the reason of each.
 */
internal fun firstThatRuns(
    spec: BundleSpec,
    accelerators: List<Accelerator>,
    make: (Accelerator, List<Attempt>) -> Engine,
): Engine {
    require(accelerators.isNotEmpty()) { "no accelerator is named: give Accelerator.CPU at least" }
    val failed = ArrayList<Attempt>()
    for (accelerator in accelerators) {
        try {
            return make(accelerator, failed)
        } catch (error: Exception) {
            failed += Attempt(accelerator, error.message ?: error.toString())
        } catch (error: OutOfMemoryError) {
            failed += Attempt(accelerator, "there is too little memory: ${error.message}")
        }
    }
    throw IllegalStateException("${spec.model} runs on none of them: ${failed.joinToString("; ")}")
}

/**
 * A model that is loaded. Made by `create` of its class, which is slow: keep one and [close] it.
 *
 * Safe for several threads: one call runs at a time, others wait for it. After [close] every function throws
 * [IllegalStateException], and so does a call for which the device has too little memory.
 */
public abstract class BundleModel internal constructor(
    internal val assets: AssetManager,
    internal val spec: BundleSpec,
    internal val engine: Engine,
    /** Where the model came from. */
    public val source: ModelSource,
) : AutoCloseable {
    private val lock = ReentrantLock()
    private var closed = false

    // Stable since coroutines 1.9; older ones want the leave.
    @OptIn(ExperimentalCoroutinesApi::class)
    internal val dispatcher: CoroutineDispatcher = Dispatchers.Default.limitedParallelism(1)

    /** The inputs of the main signature that images and texts become. */
    internal open val feeds: List<RawFeed>
        get() = listOf()

    /** What was tried in which order, and why it did not work; the last one runs. */
    public val attempts: List<Attempt>
        get() = engine.attempts

    /** What the model runs on. */
    public val accelerator: Accelerator
        get() = engine.attempts.last().accelerator

    /**
     * Runs the golden vectors, which only debug builds carry, and compares with the outputs that the model gave when it was built.
     *
     * The tolerances are those between CPU kernels: a GPU or an NPU that computes in float16 may miss them. It is slow
     * and allocates. Variables that the model keeps are given back as they were.
     *
     * @param record takes each output as it came: number of the vector, "signature/output/name", bytes in little endian.
     * @throws IOException where the app does not carry the golden vectors.
     * @throws IllegalStateException where that file is damaged or of another model, as it is of one that came over the air.
     */
    @JvmOverloads
    public fun selfTest(record: ((vector: Int, output: String, raw: ByteArray) -> Unit)? = null): SelfTest = locked {
        check(source.updateVersion == null) { "the golden vectors are of the model in the app's assets, and this is $source" }
        val golden = Golden(spec.golden, assets.open(spec.golden).use { it.readBytes() })
        SelfTest(SelfTester(spec, engine, feeds, golden, record).checks(), "${spec.id} ${spec.version}, ${attempts.last()}")
    }

    /** [selfTest] off the calling thread. */
    public suspend fun awaitSelfTest(): SelfTest = withContext(dispatcher) { selfTest() }

    /** Frees the model and its buffers. A second time does nothing. */
    override fun close() {
        lock.withLock {
            if (!closed) {
                closed = true
                engine.close()
            }
        }
    }

    internal inline fun <T> locked(block: () -> T): T = lock.withLock {
        check(!closed) { "this ${javaClass.simpleName} is closed: create another" }
        try {
            block()
        } catch (error: OutOfMemoryError) {
            throw IllegalStateException("there is too little memory for a call of ${spec.id}: ${error.message}", error)
        }
    }
}

/** Makes the model that an engine is for. Where that fails, the engine is freed. */
internal inline fun <T> owning(engine: Engine, make: (Engine) -> T): T = try {
    make(engine)
} catch (error: Throwable) {
    engine.close()
    throw error
}

/** The 32-bit floats of an asset, in little endian. */
internal fun readFloats(assets: AssetManager, name: String): FloatArray {
    val floats = ByteBuffer.wrap(assets.open(name).use { it.readBytes() }).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
    return FloatArray(floats.remaining()).also { floats.get(it) }
}

/** The lines of an asset: labels that are too many for an enum. */
internal fun readLabels(assets: AssetManager, name: String): List<String> =
    assets.open(name).use { it.readBytes().decodeToString().removeSuffix("\n").split('\n') }
