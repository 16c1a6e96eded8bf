package dropkit

import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** One signature and its buffers, made once. */
internal class Call(private val interpreter: LinkedInterpreter, val spec: Spec, private val resets: Boolean) {
    private val inputs = spec.inputs.associate { it.name to Slot(it) }
    private val outputs = spec.outputs.associate { it.name to Slot(it) }
    private val slots = (inputs.values + outputs.values).toTypedArray()
    private val inputBuffers: Map<String, Any> = if (inputs.isEmpty()) NoInputs else inputs.mapValues { it.value.bytes }
    private val outputBuffers: Map<String, Any> = outputs.mapValues { it.value.bytes }

    /** Whether it ever ran: variables may be other than as built. */
    var ran = false
        private set

    fun input(name: String): Slot = inputs.getValue(name)

    fun output(name: String): Slot = outputs.getValue(name)

    fun run() {
        ran = true
        if (resets) reset(interpreter)
        for (slot in slots) toStart(slot.bytes)
        interpreter.runSignature(inputBuffers, outputBuffers, spec.key)
    }
}

/** No input at all. The interpreter refuses an empty map, though a signature may take nothing: it is never asked for this one. */
private object NoInputs : AbstractMap<String, Any>() {
    override val entries: Set<Map.Entry<String, Any>> = setOf()

    override fun isEmpty(): Boolean = false
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
        tensor.requireSize(values.size)
        toStart(floats)
        floats.put(values)
    }

    fun write(values: IntArray) {
        tensor.requireSize(values.size)
        toStart(ints)
        ints.put(values)
    }

    fun write(values: LongArray) {
        tensor.requireSize(values.size)
        toStart(longs)
        longs.put(values)
    }

    fun write(values: ShortArray) {
        tensor.requireSize(values.size)
        toStart(shorts)
        shorts.put(values)
    }

    fun write(values: ByteArray) {
        tensor.requireSize(values.size)
        toStart(bytes)
        bytes.put(values)
    }

    fun write(values: BooleanArray) {
        tensor.requireSize(values.size)
        for (i in values.indices) bytes.put(i, if (values[i]) 1 else 0)
    }

    fun read(into: FloatArray) {
        tensor.requireSize(into.size)
        toStart(floats)
        floats.get(into)
    }

    fun read(into: IntArray) {
        tensor.requireSize(into.size)
        toStart(ints)
        ints.get(into)
    }

    fun read(into: LongArray) {
        tensor.requireSize(into.size)
        toStart(longs)
        longs.get(into)
    }

    fun read(into: ShortArray) {
        tensor.requireSize(into.size)
        toStart(shorts)
        shorts.get(into)
    }

    fun read(into: ByteArray) {
        tensor.requireSize(into.size)
        toStart(bytes)
        bytes.get(into)
    }

    fun read(into: BooleanArray) {
        tensor.requireSize(into.size)
        for (i in into.indices) into[i] = bytes.get(i).toInt() != 0
    }
}

// By the type Buffer: ByteBuffer's own clear() is not there on old Android versions.
private fun toStart(buffer: Buffer) {
    buffer.clear()
}
