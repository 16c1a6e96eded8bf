// The classes of the bundle are put in place of BUNDLE_PACKAGE and BUNDLE_MODEL.
package dropkit.proof

import BUNDLE_PACKAGE.BUNDLE_MODEL
import BUNDLE_PACKAGE.BUNDLE_TEST
import dropkit.desktop.DesktopContext
import java.io.DataOutputStream
import java.io.File
import kotlin.system.exitProcess
import org.junit.runner.JUnitCore

/** Runs the golden test as JUnit does, then the self-test again, and writes every raw output to the file named first. */
fun main(args: Array<String>) {
    val result = JUnitCore.runClasses(BUNDLE_TEST::class.java)
    println("tests ${result.runCount} failed ${result.failureCount} ignored ${result.ignoreCount}")
    for (failure in result.failures) {
        println("failure ${failure.testHeader}: ${failure.message ?: failure.exception}".replace('\n', ' ').take(2000))
        System.err.println(failure.trace)
    }
    if (result.wasSuccessful()) {
        DataOutputStream(File(args[0]).outputStream().buffered()).use { out ->
            BUNDLE_MODEL.create(DesktopContext("dropkit.assets")).use { model ->
                model.selfTest(out::record)
            }
        }
    }
    // What a library left running must not keep the process.
    exitProcess(if (result.wasSuccessful()) 0 else 4)
}
