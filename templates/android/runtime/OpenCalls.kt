package dropkit

import java.nio.Buffer
import java.nio.ByteBuffer
import org.tensorflow.lite.Tensor as InterpreterTensor

/** One signature. Its buffers follow the sizes of each call: only sizes that come again cost nothing. */
internal class Call(private val interpreter: LinkedInterpreter, spec: Spec, private val resets: Boolean) :
    SignatureCall(spec, spec.inputs.associate { it.name to Slot(it) }, spec.outputs.associate { it.name to Slot(it) }) {

    override fun invoke() {
        if (resets) reset(interpreter)
        val fed = if (inputs.isEmpty()) NoInputs else inputs.mapValues { it.value.nested }
        interpreter.runSignature(fed, mapOf(), spec.key)
        for (slot in outputs.values) slot.take(interpreter.getOutputTensorFromSignature(slot.tensor.name, spec.key))
    }
}

/**
 * One tensor and its values, row by row. As an input it is an array of arrays, for only such a one changes the
 * interpreter's size.
 */
internal class Slot(val tensor: Tensor) {
    var shape: IntArray = if (tensor.open) IntArray(0) else tensor.shape
        private set
    val count: Int
        get() = shape.fold(1) { all, size -> all * size }

    /** What the interpreter is fed. */
    var nested: Any = if (tensor.open) IntArray(0) else made(tensor.dtype, tensor.shape)
        private set
    private var bytes: ByteBuffer = ByteBuffer.allocate(0)

    fun resize(to: IntArray) {
        require(tensor.takes(to)) {
            "'${tensor.name}' is ${tensor.dtype} ${tensor.shape.contentToString()}, and ${to.contentToString()} was given"
        }
        if (to.contentEquals(shape)) return
        shape = to.copyOf()
        nested = made(tensor.dtype, shape)
    }

    /** Keeps what an output holds until the next call. */
    fun take(found: InterpreterTensor) {
        shape = found.shape()
        bytes = found.asReadOnlyBuffer()
    }

    fun write(values: FloatArray) = write(values, values.size) { values[0] }

    fun write(values: IntArray) = write(values, values.size) { values[0] }

    fun write(values: LongArray) = write(values, values.size) { values[0] }

    fun write(values: ShortArray) = write(values, values.size) { values[0] }

    fun write(values: ByteArray) = write(values, values.size) { values[0] }

    fun write(values: BooleanArray) = write(values, values.size) { values[0] }

    private inline fun write(values: Any, size: Int, first: () -> Any) {
        tensor.requireSize(size, count)
        if (shape.isEmpty()) nested = first() else nest(values, 0, nested)
    }

    fun read(into: FloatArray) {
        start(into.size)
        bytes.asFloatBuffer().get(into)
    }

    fun read(into: IntArray) {
        start(into.size)
        bytes.asIntBuffer().get(into)
    }

    fun read(into: LongArray) {
        start(into.size)
        bytes.asLongBuffer().get(into)
    }

    fun read(into: ShortArray) {
        start(into.size)
        bytes.asShortBuffer().get(into)
    }

    fun read(into: ByteArray) {
        start(into.size)
        bytes.get(into)
    }

    fun read(into: BooleanArray) {
        start(into.size)
        for (i in into.indices) into[i] = bytes.get(i).toInt() != 0
    }

    private fun start(size: Int) {
        tensor.requireSize(size, count)
        // By the type Buffer: ByteBuffer's own clear() is not there on old Android versions.
        val whole: Buffer = bytes
        whole.clear()
    }
}

/** Arrays of arrays of a shape: `float[2][3]` for float32 [2, 3]. A scalar is written at once. */
private fun made(dtype: String, shape: IntArray): Any =
    if (shape.isEmpty()) 0 else java.lang.reflect.Array.newInstance(elementOf(dtype), *shape)

private fun elementOf(dtype: String): Class<*> = when (dtype) {
    "float32" -> Float::class.javaPrimitiveType!!
    "int32" -> Int::class.javaPrimitiveType!!
    "int64" -> Long::class.javaPrimitiveType!!
    "int16" -> Short::class.javaPrimitiveType!!
    "uint8", "int8" -> Byte::class.javaPrimitiveType!!
    "bool" -> Boolean::class.javaPrimitiveType!!
    else -> error("$dtype has no array in Kotlin")
}

/** Copies values, from `at` on, into the innermost arrays; returns where the next begin. */
private fun nest(values: Any, at: Int, into: Any): Int {
    if (into !is Array<*>) {
        val size = java.lang.reflect.Array.getLength(into)
        System.arraycopy(values, at, into, 0, size)
        return at + size
    }
    var next = at
    for (inner in into) next = nest(values, next, inner!!)
    return next
}
