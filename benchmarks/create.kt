import com.example.BUNDLE_ID.BUNDLE_CLASS
import com.example.BUNDLE_ID.dropkit.Accelerator
import com.example.BUNDLE_ID.dropkit.GpuPrecision
import com.example.BUNDLE_ID.dropkit.ModelSource
import com.example.BUNDLE_ID.dropkit.Verification
import com.example.BUNDLE_ID.dropkit.Verifier
import com.example.BUNDLE_ID.dropkit.createEngine
import dropkit.desktop.DesktopContext
import java.lang.management.ManagementFactory

private const val ROUNDS = 120

private val threads = ManagementFactory.getThreadMXBean()

/** Nanoseconds of this thread's CPU: a start is short, and a busy machine stops it in between. */
private inline fun nanos(call: () -> Unit): Double {
    val start = threads.currentThreadCpuTime
    call()
    return (threads.currentThreadCpuTime - start).toDouble()
}

/** Loads a bundle's model for an NPU, by turns with a verdict that is kept and without verification. */
fun main() {
    val context = DesktopContext("dropkit.assets")
    val spec = BUNDLE_CLASS.create(context, listOf(Accelerator.CPU)).use { it.spec }
    val verification = Verification(context, spec, ModelSource.ASSETS, "litert:2.3.0")
    fun create(verifier: Verifier?) =
        createEngine(context, spec, listOf(Accelerator.NPU), null, GpuPrecision.DEFAULT, ModelSource.ASSETS, verifier).close()
    create(verification) // its verdict is kept from here on
    val bare = mutableListOf<Double>()
    val kept = mutableListOf<Double>()
    repeat(ROUNDS) { round ->
        // What comes second meets a warmer machine.
        if (round % 2 == 0) bare += nanos { create(null) }
        kept += nanos { create(verification) }
        if (round % 2 == 1) bare += nanos { create(null) }
    }
    // The first rounds are interpreted: the middle of the later half is the steady state.
    println("bare ${bare.drop(ROUNDS / 2).sorted()[ROUNDS / 4]}")
    println("kept ${kept.drop(ROUNDS / 2).sorted()[ROUNDS / 4]}")
}
