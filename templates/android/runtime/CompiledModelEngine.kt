package dropkit

import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.Environment
import com.google.ai.edge.litert.TensorBuffer

/** The compiled model with all its buffers: one model, for kept variables live in it. */
internal class Engine(
    private val environment: Environment,
    private val model: CompiledModel,
    val attempts: List<Attempt>,
    spec: BundleSpec,
) : AutoCloseable {
    private val calls = spec.all.associate { it.key to Call(model, it) }

    fun call(key: String): Call = calls.getValue(key)

    /** Frees the model and its buffers; the environment may still be used. */
    fun free() {
        for (call in calls.values) call.close()
        model.close()
    }

    override fun close() {
        free()
        environment.close()
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
