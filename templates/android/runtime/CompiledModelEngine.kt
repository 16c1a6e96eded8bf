package dropkit

import android.content.Context
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.Environment
import com.google.ai.edge.litert.TensorBuffer

/** What can run the model: LiteRT's own names. */
public typealias Accelerator = com.google.ai.edge.litert.Accelerator

/** The compiled model with all its buffers: one model, for kept variables live in it. */
internal class Engine(
    private val environment: Environment,
    private val model: CompiledModel,
    val attempts: List<Attempt>,
    spec: BundleSpec,
) : AutoCloseable {
    private val calls = spec.all.associate { it.key to Call(model, it) }

    fun call(key: String): Call = calls.getValue(key)

    override fun close() {
        for (call in calls.values) call.close()
        model.close()
        environment.close()
    }
}

/** Compiles the model for the first accelerator that takes it. */
internal fun createEngine(
    context: Context,
    spec: BundleSpec,
    accelerators: List<Accelerator>,
    threads: Int?,
    source: ModelSource,
): Engine {
    val environment = Environment.create()
    return try {
        source.onDisk(context, spec.id) { path ->
            firstThatRuns(spec, accelerators) { accelerator, failed ->
                compile(context, spec, environment, accelerator, threads, failed, path)
            }
        }
    } catch (error: Throwable) {
        environment.close()
        throw error
    }
}

private fun compile(
    context: Context,
    spec: BundleSpec,
    environment: Environment,
    accelerator: Accelerator,
    threads: Int?,
    failed: List<Attempt>,
    path: String?,
): Engine {
    // Asked for an NPU alone, LiteRT adds the CPU in silence, and would run there where no NPU is.
    check(accelerator == Accelerator.CPU || accelerator in environment.getAvailableAccelerators()) {
        "there is none on this device, or no library for it in the app"
    }
    val options = CompiledModel.Options(accelerator)
    if (accelerator == Accelerator.CPU && threads != null) {
        options.cpuOptions = CompiledModel.CpuOptions(numThreads = threads)
    }
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

/** One signature and its buffers, made once. */
internal class Call(private val model: CompiledModel, spec: Spec) :
    SignatureCall(
        spec,
        spec.inputs.associate { it.name to Slot(it, model.createInputBuffer(it.name, spec.key)) },
        spec.outputs.associate { it.name to Slot(it, model.createOutputBuffer(it.name, spec.key)) },
    ),
    AutoCloseable {
    private val inputBuffers = inputs.mapValues { it.value.buffer }
    private val outputBuffers = outputs.mapValues { it.value.buffer }

    override fun invoke() {
        model.run(inputBuffers, outputBuffers, spec.key)
    }

    override fun close() {
        for (slot in inputs.values) slot.buffer.close()
        for (slot in outputs.values) slot.buffer.close()
    }
}

/** One tensor and its buffer. LiteRT takes too few values in silence, so their number is checked here. */
internal class Slot(val tensor: Tensor, val buffer: TensorBuffer) {
    val count: Int
        get() = tensor.count

    /** Checks a shape: a buffer of CompiledModel has one. */
    fun resize(to: IntArray) {
        require(tensor.takes(to)) { "'${tensor.name}' is ${tensor.shape.contentToString()}, and ${to.contentToString()} was given" }
    }

    fun write(values: FloatArray) {
        tensor.requireSize(values.size)
        buffer.writeFloat(values)
    }

    fun write(values: IntArray) {
        tensor.requireSize(values.size)
        buffer.writeInt(values)
    }

    fun write(values: LongArray) {
        tensor.requireSize(values.size)
        buffer.writeLong(values)
    }

    /** For uint8, too: TensorBuffer has no function of its own for it, and they are the same bytes. */
    fun write(values: ByteArray) {
        tensor.requireSize(values.size)
        buffer.writeInt8(values)
    }

    fun write(values: BooleanArray) {
        tensor.requireSize(values.size)
        buffer.writeBoolean(values)
    }

    fun write(values: ShortArray): Unit = throw UnsupportedOperationException("TensorBuffer has no int16, and ${values.size} were given")

    fun read(into: FloatArray) {
        val found = buffer.readFloat()
        check(found.size, into.size)
        found.copyInto(into)
    }

    fun read(into: IntArray) {
        val found = buffer.readInt()
        check(found.size, into.size)
        found.copyInto(into)
    }

    fun read(into: LongArray) {
        val found = buffer.readLong()
        check(found.size, into.size)
        found.copyInto(into)
    }

    fun read(into: ByteArray) {
        val found = buffer.readInt8()
        check(found.size, into.size)
        found.copyInto(into)
    }

    fun read(into: BooleanArray) {
        val found = buffer.readBoolean()
        check(found.size, into.size)
        found.copyInto(into)
    }

    fun read(into: ShortArray): Unit = throw UnsupportedOperationException("TensorBuffer has no int16, and ${into.size} are wanted")

    private fun check(found: Int, wanted: Int) {
        tensor.requireSize(found)
        tensor.requireSize(wanted)
    }
}
