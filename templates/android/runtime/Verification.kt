package dropkit

import android.content.Context
import android.os.Build
import java.io.File
import java.io.FileInputStream
import java.io.IOException
import java.io.InputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs

private const val PASSED = "passed"
private const val CHECKSUM_END = 12 // of golden.bin's form

// What stands in the file while an accelerator is tried. Where nothing takes its place, the process ended.
private const val TRIED = "the app ended while it was tried: its driver may have crashed it"

/**
 * Tries an accelerator before it is used: on a few inputs that are drawn from a seed, against what the CPU gave for them
 * when the bundle was built. The verdict is kept for this OS, chip, LiteRT and model. `runtime`: what the app links.
 */
internal class Verification(
    private val context: Context,
    private val spec: BundleSpec,
    private val source: ModelSource,
    private val runtime: String,
) : Verifier {
    override fun verified(candidate: Candidate, make: () -> Engine): Engine = synchronized(Verification::class.java) {
        val name = "${candidate.accelerator}-${candidate.precision}".lowercase()
        // A start with a verdict reads the checksum alone.
        val checksum = read { stream -> ByteArray(CHECKSUM_END).also { stream.read(it) } }
        val verdict = Kept(File(context.cacheDir, "dropkit/${spec.id}/$name"), key(candidate, checksum))
        when (val kept = verdict.read()) {
            null -> probe(candidate, verdict, Golden(name(), read { it.readBytes() }), make)
            PASSED -> make()
            else -> throw IllegalStateException("$kept (found at an earlier start)")
        }
    }

    /** Reads of the expected outputs: an update brings those of its own model. */
    private fun read(take: (InputStream) -> ByteArray): ByteArray {
        if (source.updateVersion != null) {
            checkNotNull(source.expected) { "it cannot be verified: $source has no expected outputs; sign a bundle that has an expected.bin" }
        }
        return try {
            (source.expected?.let(::FileInputStream) ?: context.assets.open(spec.expected)).use(take)
        } catch (error: IOException) {
            val place = if (source.expected == null) "among the app's assets" else "there"
            throw IllegalStateException("it cannot be verified: ${name()} is not $place", error)
        }
    }

    private fun name(): String = source.expected?.path ?: spec.expected

    private fun key(candidate: Candidate, checksum: ByteArray): String {
        val chip = if (Build.VERSION.SDK_INT >= 31) "${Build.SOC_MANUFACTURER} ${Build.SOC_MODEL}" else Build.HARDWARE
        // Of the expected outputs their own checksum, which is at the start.
        val all = listOf(Build.FINGERPRINT, chip, runtime, candidate.model, hex(checksum))
        return all.joinToString(" | ") { it.replace('\n', ' ') }
    }

    private fun probe(candidate: Candidate, verdict: Kept, expected: Golden, make: () -> Engine): Engine {
        verdict.write(TRIED)
        var known = false
        try {
            val engine = make()
            val fault = try {
                faultOf(engine, expected)?.let { "$it; ${nextStep(candidate)}" }
            } catch (error: Throwable) {
                engine.free()
                throw error
            }
            verdict.write(fault ?: PASSED)
            known = true
            if (fault == null && spec.read == null) return engine
            engine.free()
            check(fault == null) { "$fault" }
        } finally {
            // Refused with an error, which may be another one at the next start.
            if (!known) verdict.forget()
        }
        // The calls may have changed the variables.
        return make()
    }

    /** Returns what is wrong with an engine's outputs; null where nothing is. */
    private fun faultOf(engine: Engine, expected: Golden): String? =
        spec.signatures.firstNotNullOfOrNull { faultOf(engine.call(it.key), expected) }

    private fun faultOf(call: Call, expected: Golden): String? {
        val spec = call.spec
        val ranges = spec.inputs.map { expected.find(spec.key, "range", it.name)?.doubles() ?: return null }
        val judges = spec.outputs.mapNotNull { tensor ->
            val values = expected.find(spec.key, "expected", tensor.name)
            val limits = expected.find(spec.key, "limits", tensor.name)?.doubles()
            if (values == null || limits == null) null else Judge(tensor, values, limits[0], limits[1].toInt())
        }
        for (vector in 0 until (judges.firstOrNull()?.values?.vectors ?: 0)) {
            spec.inputs.forEachIndexed { position, tensor ->
                val (low, high) = ranges[position]
                call.input(tensor.name).writeRaw(seeded(tensor.dtype, tensor.count, low, high, seedOf(vector, position)))
            }
            call.run()
            for (judge in judges) judge.look(vector, call.output(judge.tensor.name).readRaw())
        }
        return judges.firstNotNullOfOrNull { it.fault }
    }
}

/** Compares values of one output, spread evenly over it: `most` of them may be further off than `allowed`. */
private class Judge(val tensor: Tensor, val values: Section, private val allowed: Double, private val most: Int) {
    private var beyond = 0
    private var worst = 0.0

    fun look(vector: Int, raw: ByteArray) {
        val ours = ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN)
        val theirs = ByteBuffer.wrap(values.vector(vector)).order(ByteOrder.LITTLE_ENDIAN)
        val kept = theirs.capacity() / tensor.width
        for (index in 0 until kept) {
            val wanted = valueAt(theirs, index * tensor.width, tensor.dtype)
            if (!wanted.isFinite()) continue
            val place = (index.toLong() * tensor.count / kept).toInt()
            val off = abs(valueAt(ours, place * tensor.width, tensor.dtype) - wanted)
            if (off <= allowed) continue
            beyond++
            worst = if (off.isNaN()) Double.POSITIVE_INFINITY else maxOf(worst, off)
        }
    }

    val fault: String?
        get() {
            if (beyond <= most) return null
            val unit = if (tensor.unit == "steps") " steps" else ""
            return "its outputs are wrong: '${tensor.name}' is up to $worst$unit away from what the CPU gives, and $allowed$unit are allowed"
        }
}

/** What a developer can do about an accelerator that computes something else. */
private fun nextStep(candidate: Candidate): String =
    if (candidate.accelerator == Accelerator.GPU && candidate.precision != GpuPrecision.FP32) {
        "GpuPrecision.FP32 may be near enough"
    } else {
        "another driver or OS may compute it right, and is tried when it comes"
    }

private fun Section.doubles(): List<Double> {
    val bytes = ByteBuffer.wrap(vector(0)).order(ByteOrder.LITTLE_ENDIAN)
    return List(bytes.capacity() / 8) { bytes.getDouble(8 * it) }
}
