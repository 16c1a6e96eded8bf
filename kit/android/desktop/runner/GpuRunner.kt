// The classes of the bundle are put in place of BUNDLE_PACKAGE and BUNDLE_MODEL.
package dropkit.proof

import BUNDLE_PACKAGE.BUNDLE_MODEL
import BUNDLE_PACKAGE.dropkit.Accelerator
import BUNDLE_PACKAGE.dropkit.GpuPrecision
import dropkit.desktop.DesktopContext
import java.io.DataOutputStream
import java.io.File
import kotlin.system.exitProcess

/**
 * Creates the model for a GPU, else the CPU, in the precision that is named second; prints what became of each, and
 * writes every raw output of the self-test to the file named first.
 */
fun main(args: Array<String>) {
    val precision = GpuPrecision.valueOf(args[1])
    BUNDLE_MODEL.create(DesktopContext("dropkit.assets"), listOf(Accelerator.GPU, Accelerator.CPU), precision = precision).use { model ->
        for (attempt in model.attempts) println("attempt $attempt".replace('\n', ' '))
        DataOutputStream(File(args[0]).outputStream().buffered()).use { out ->
            model.selfTest(out::record)
        }
    }
    // What a driver left running must not keep the process.
    exitProcess(0)
}
