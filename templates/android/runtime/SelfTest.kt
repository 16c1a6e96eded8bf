package dropkit

import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs

private const val TRAINING_STEPS = 10

/** What a self-test found. */
public class SelfTest internal constructor(public val checks: List<Check>, private val about: String) {
    public val passed: Boolean
        get() = checks.all { it.passed }

    /** One line for each check, for a log or a screen. */
    override fun toString(): String = (checks + "$about: ${if (passed) "pass" else "FAIL"}").joinToString("\n")
}

/** One thing that a self-test compared. */
public class Check internal constructor(
    public val name: String,
    /** Of [worst] and [allowed]. */
    public val unit: String,
    /** The largest difference. */
    public val worst: Double,
    public val allowed: Double,
) {
    public val passed: Boolean
        get() = worst <= allowed

    override fun toString(): String =
        "$name: max difference $worst $unit ($allowed allowed): ${if (passed) "ok" else "FAIL"}"
}

/** An input that a call makes of something else. `kind`: what golden.bin has of that, "pixels", "text" or "audio". */
internal interface RawFeed {
    val name: String
    val kind: String

    /** Returns the input's bytes, in little endian, of one vector: pixels [height, width, channels], a text, or a sound. */
    fun raw(given: ByteArray): ByteArray
}

/** Replays golden vectors. */
internal class SelfTester(
    private val bundle: BundleSpec,
    private val engine: Engine,
    private val feeds: List<RawFeed>,
    private val golden: Golden,
    private val record: ((Int, String, ByteArray) -> Unit)?,
) {
    private val main = bundle.signatures.first()

    fun checks(): List<Check> {
        val checks = if (bundle.read == null) bundle.signatures.flatMap { replay(it, it.prefix) } else withVariables(bundle.read)
        check(checks.any { it.name == main.outputs[0].name }) { "${bundle.golden} has no vectors of ${main.key}" }
        return checks
    }

    private fun withVariables(reader: Spec): List<Check> {
        val asBuilt = bundle.all.none { engine.call(it.key).ran }
        val before = state()
        val built = reader.outputs.map { section("output", reader, it).vector(0) }
        val checks = ArrayList<Check>()
        try {
            // A model that has run may have changed them, and then they tell nothing.
            if (asBuilt) checks += alike("variables as built", before, built)
            assign(built)
            state().forEachIndexed { index, raw -> record?.invoke(0, "${reader.key}/output/${reader.outputs[index].name}", raw) }
            for (signature in bundle.signatures.filter { !it.trains }) {
                checks += replay(signature, signature.prefix)
                assign(built)
            }
            val changed = built.mapIndexed { index, raw -> otherThan(raw, reader.outputs[index].dtype) }
            assign(changed)
            checks += alike("variables assigned", state(), changed)
            assign(built)
            for (signature in bundle.signatures.filter { it.trains }) {
                // Only recorded: what a step gives depends on all steps before it.
                replay(signature, signature.prefix)
                assign(built)
                checks += learn(signature)
                assign(built)
            }
            checks += alike("variables restored", state(), built)
            checks += replay(main, "restored: ", record = null)
        } finally {
            assign(before)
        }
        return checks
    }

    /** The checks of one signature; none where the file has no vectors or, as of training, no outputs of it. */
    private fun replay(
        spec: Spec,
        prefix: String,
        record: ((Int, String, ByteArray) -> Unit)? = this.record,
    ): List<Check> {
        val call = engine.call(spec.key)
        val fed = spec.inputs.map { golden.find(spec.key, "input", it) ?: return listOf() }
        val wanted = spec.outputs.mapNotNull { golden.find(spec.key, "output", it) }
        val judged = wanted.size == spec.outputs.size
        check(judged || wanted.isEmpty()) { "${bundle.golden} has not every output of ${spec.key}" }
        val vectors = fed.first().vectors
        check(vectors >= 1 && (fed + wanted).all { it.vectors == vectors }) {
            "${bundle.golden}: not every tensor of ${spec.key} has $vectors vectors"
        }
        val worst = DoubleArray(spec.outputs.size)
        for (vector in 0 until vectors) {
            run(call, spec, fed, vector)
            spec.outputs.forEachIndexed { index, tensor ->
                val raw = call.output(tensor.name).readRaw()
                record?.invoke(vector, "${spec.key}/output/${tensor.name}", raw)
                if (judged) {
                    worst[index] = maxOf(worst[index], distance(raw, wanted[index].vector(vector), tensor.dtype))
                }
            }
        }
        if (!judged) return listOf()
        val checks = spec.outputs.mapIndexed { index, tensor ->
            Check(prefix + tensor.name, tensor.unit, worst[index], tensor.allowed)
        } + edges(spec, prefix, wanted)
        return if (spec === main) checks + feeds.mapNotNull { made(it, prefix) } else checks
    }

    /**
     * The checks of the edge vectors of one signature, where there are any: judged where these are finite.
     * A float's rounding error grows with the values: where they are larger than any golden vector's, as much more is allowed.
     */
    private fun edges(spec: Spec, prefix: String, usual: List<Section>): List<Check> {
        val call = engine.call(spec.key)
        val fed = spec.inputs.map { golden.find(spec.key, "edge_input", it) ?: return listOf() }
        val wanted = spec.outputs.map { golden.find(spec.key, "edge_output", it) } // null: of an index
        val vectors = fed.first().vectors
        check(vectors >= 1 && (fed + wanted.filterNotNull()).all { it.vectors == vectors }) {
            "${bundle.golden}: not every tensor of ${spec.key} has $vectors edge vectors"
        }
        val largest = spec.outputs.mapIndexed { index, tensor ->
            (0 until usual[index].vectors).maxOf { largest(usual[index].vector(it), tensor.dtype) }
        }
        val worst = DoubleArray(spec.outputs.size)
        for (vector in 0 until vectors) {
            run(call, spec, fed, vector)
            spec.outputs.forEachIndexed { index, tensor ->
                val golden = wanted[index]?.vector(vector) ?: return@forEachIndexed
                val grown = if (tensor.dtype == "float32") maxOf(1.0, largest(golden, tensor.dtype) / maxOf(largest[index], 1.0)) else 1.0
                val off = distance(call.output(tensor.name).readRaw(), golden, tensor.dtype, finite = true)
                worst[index] = maxOf(worst[index], off / grown)
            }
        }
        return spec.outputs.indices.filter { wanted[it] != null }.map {
            Check("$prefix${spec.outputs[it].name} on edge vectors", spec.outputs[it].unit, worst[it], spec.outputs[it].allowed)
        }
    }

    /** One call on a vector of the golden inputs. */
    private fun run(call: Call, spec: Spec, fed: List<Section>, vector: Int) {
        spec.inputs.forEachIndexed { index, tensor ->
            call.input(tensor.name).resize(fed[index].call)
            call.input(tensor.name).writeRaw(fed[index].vector(vector))
        }
        call.run()
    }

    /** Whether golden pixels, texts or sounds, through what these go through in a call, give the golden input to the byte. */
    private fun made(feed: RawFeed, prefix: String): Check? {
        val given = golden.find(main.key, feed.kind, feed.name) ?: return null
        val fed = section("input", main, main.inputs.first { it.name == feed.name })
        check(given.dtype == "uint8" && given.vectors == fed.vectors) { "${bundle.golden} has other ${feed.kind} of '${feed.name}'" }
        val wrong = (0 until given.vectors).count { !feed.raw(given.vector(it)).contentEquals(fed.vector(it)) }
        return Check("$prefix${feed.name} from ${feed.kind}", "of ${given.vectors} vectors", wrong.toDouble(), 0.0)
    }

    /** Whether the loss falls over steps on one golden vector. */
    private fun learn(spec: Spec): Check {
        val call = engine.call(spec.key)
        for (tensor in spec.inputs) {
            val fed = section("input", spec, tensor)
            call.input(tensor.name).resize(fed.call)
            call.input(tensor.name).writeRaw(fed.vector(0))
        }
        val losses = List(TRAINING_STEPS) {
            call.run()
            val loss = call.output("loss")
            valueAt(ByteBuffer.wrap(loss.readRaw()).order(ByteOrder.LITTLE_ENDIAN), 0, loss.tensor.dtype)
        }
        val fell = losses.all { it.isFinite() } && losses.last() < losses.first()
        val gainless = if (fell) 0.0 else TRAINING_STEPS.toDouble()
        return Check("${spec.key}: loss ${losses.first()} to ${losses.last()}", "steps without a gain", gainless, 0.0)
    }

    private fun section(kind: String, spec: Spec, tensor: Tensor): Section =
        checkNotNull(golden.find(spec.key, kind, tensor)) { "${bundle.golden} has no $kind '${tensor.name}' of ${spec.key}" }

    private fun state(): List<ByteArray> {
        val reader = engine.call(checkNotNull(bundle.read).key)
        reader.run()
        return reader.spec.outputs.map { reader.output(it.name).readRaw() }
    }

    private fun assign(values: List<ByteArray>) {
        val assigner = engine.call(checkNotNull(bundle.assign).key)
        assigner.spec.inputs.forEachIndexed { index, tensor -> assigner.input(tensor.name).writeRaw(values[index]) }
        assigner.run()
    }

    private fun alike(name: String, found: List<ByteArray>, wanted: List<ByteArray>): Check {
        val other = found.indices.count { !found[it].contentEquals(wanted[it]) }
        return Check(name, "of ${wanted.size} variables", other.toDouble(), 0.0)
    }
}

/** Values of which every one is another: one more, or zero where that is none. */
private fun otherThan(raw: ByteArray, dtype: String): ByteArray {
    val bytes = ByteBuffer.wrap(raw.copyOf()).order(ByteOrder.LITTLE_ENDIAN)
    for (at in raw.indices step widthOf(dtype)) {
        when (dtype) {
            "float32" -> bytes.putFloat(at, otherThan(bytes.getFloat(at)))
            "int32" -> bytes.putInt(at, bytes.getInt(at) + 1)
            "int64" -> bytes.putLong(at, bytes.getLong(at) + 1)
            "int16" -> bytes.putShort(at, (bytes.getShort(at) + 1).toShort())
            "bool" -> bytes.put(at, (1 - bytes.get(at)).toByte())
            else -> bytes.put(at, (bytes.get(at) + 1).toByte())
        }
    }
    return bytes.array()
}

private fun otherThan(value: Float): Float = if ((value + 1f).isFinite() && value + 1f != value) value + 1f else 0f

internal fun Slot.writeRaw(raw: ByteArray) {
    val bytes = ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN)
    when (tensor.dtype) {
        "float32" -> write(FloatArray(count) { bytes.getFloat(4 * it) })
        "int32" -> write(IntArray(count) { bytes.getInt(4 * it) })
        "int64" -> write(LongArray(count) { bytes.getLong(8 * it) })
        "int16" -> write(ShortArray(count) { bytes.getShort(2 * it) })
        "bool" -> write(BooleanArray(count) { raw[it].toInt() != 0 })
        else -> write(raw)
    }
}

internal fun Slot.readRaw(): ByteArray {
    val bytes = ByteBuffer.allocate(count * tensor.width).order(ByteOrder.LITTLE_ENDIAN)
    when (tensor.dtype) {
        "float32" -> for (value in FloatArray(count).also { read(it) }) bytes.putFloat(value)
        "int32" -> for (value in IntArray(count).also { read(it) }) bytes.putInt(value)
        "int64" -> for (value in LongArray(count).also { read(it) }) bytes.putLong(value)
        "int16" -> for (value in ShortArray(count).also { read(it) }) bytes.putShort(value)
        "bool" -> for (value in BooleanArray(count).also { read(it) }) bytes.put(if (value) 1 else 0)
        else -> read(bytes.array())
    }
    return bytes.array()
}

/** The largest finite absolute value. */
private fun largest(raw: ByteArray, dtype: String): Double {
    val values = ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN)
    var found = 0.0
    for (at in raw.indices step widthOf(dtype)) {
        val value = abs(valueAt(values, at, dtype))
        if (value.isFinite()) found = maxOf(found, value)
    }
    return found
}

/** The largest difference; two NaN are 0 apart, NaN from a number infinitely. `finite`: where the golden values are. */
private fun distance(raw: ByteArray, golden: ByteArray, dtype: String, finite: Boolean = false): Double {
    val ours = ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN)
    val theirs = ByteBuffer.wrap(golden).order(ByteOrder.LITTLE_ENDIAN)
    if (raw.size != golden.size) return Double.POSITIVE_INFINITY
    var worst = 0.0
    for (at in raw.indices step widthOf(dtype)) {
        val one = valueAt(ours, at, dtype)
        val other = valueAt(theirs, at, dtype)
        if (one == other || (one.isNaN() && other.isNaN()) || (finite && !other.isFinite())) continue
        val off = abs(one - other)
        worst = maxOf(worst, if (off.isNaN()) Double.POSITIVE_INFINITY else off)
    }
    return worst
}

internal fun valueAt(bytes: ByteBuffer, at: Int, dtype: String): Double = when (dtype) {
    "float32" -> bytes.getFloat(at).toDouble()
    "int32" -> bytes.getInt(at).toDouble()
    "int64" -> bytes.getLong(at).toDouble()
    "int16" -> bytes.getShort(at).toDouble()
    "uint8" -> (bytes.get(at).toInt() and 0xFF).toDouble()
    else -> bytes.get(at).toDouble()
}
