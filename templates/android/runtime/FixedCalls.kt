package dropkit

import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** One signature and its buffers, made once. */
internal class Call(private val interpreter: LinkedInterpreter, spec: Spec, private val resets: Boolean) :
    SignatureCall(spec, spec.inputs.associate { it.name to Slot(it) }, spec.outputs.associate { it.name to Slot(it) }) {
    private val slots = (inputs.values + outputs.values).toTypedArray()
    private val inputBuffers: Map<String, Any> = if (inputs.isEmpty()) NoInputs else inputs.mapValues { it.value.bytes }
    private val outputBuffers: Map<String, Any> = outputs.mapValues { it.value.bytes }

    override fun invoke() {
        if (resets) reset(interpreter)
        for (slot in slots) toStart(slot.bytes)
        interpreter.runSignature(inputBuffers, outputBuffers, spec.key)
    }
}

/** One tensor and its buffer, outside the heap and in the order of bytes that the interpreter copies as it is. */
internal class Slot(val tensor: Tensor) {
    val count: Int
        get() = tensor.count
    val bytes: ByteBuffer = ByteBuffer.allocateDirect(count * tensor.width).order(ByteOrder.nativeOrder())
    private val floats = bytes.asFloatBuffer()
    private val ints = bytes.asIntBuffer()
    private val longs = bytes.asLongBuffer()
    private val shorts = bytes.asShortBuffer()

    /** Checks a shape: this model's buffers have one. */
    fun resize(to: IntArray) {
        require(tensor.takes(to)) { "'${tensor.name}' is ${tensor.shape.contentToString()}, and ${to.contentToString()} was given" }
    }

    fun write(values: FloatArray) {
        ready(floats, values.size).put(values)
    }

    fun write(values: IntArray) {
        ready(ints, values.size).put(values)
    }

    fun write(values: LongArray) {
        ready(longs, values.size).put(values)
    }

    fun write(values: ShortArray) {
        ready(shorts, values.size).put(values)
    }

    fun write(values: ByteArray) {
        ready(bytes, values.size).put(values)
    }

    fun write(values: BooleanArray) {
        tensor.requireSize(values.size)
        for (i in values.indices) bytes.put(i, if (values[i]) 1 else 0)
    }

    fun read(into: FloatArray) {
        ready(floats, into.size).get(into)
    }

    fun read(into: IntArray) {
        ready(ints, into.size).get(into)
    }

    fun read(into: LongArray) {
        ready(longs, into.size).get(into)
    }

    fun read(into: ShortArray) {
        ready(shorts, into.size).get(into)
    }

    fun read(into: ByteArray) {
        ready(bytes, into.size).get(into)
    }

    fun read(into: BooleanArray) {
        tensor.requireSize(into.size)
        for (i in into.indices) into[i] = bytes.get(i).toInt() != 0
    }

    /** Checks how many values there are, and returns the buffer at its start. */
    private fun <T : Buffer> ready(buffer: T, size: Int): T {
        tensor.requireSize(size)
        toStart(buffer)
        return buffer
    }
}

// By the type Buffer: ByteBuffer's own clear() is not there on old Android versions.
private fun toStart(buffer: Buffer) {
    buffer.clear()
}
