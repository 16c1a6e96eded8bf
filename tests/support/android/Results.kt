import com.example.digits.Digits
import com.google.ai.edge.litert.Accelerator
import com.sun.management.ThreadMXBean
import dropkit.desktop.DesktopContext
import java.lang.management.ManagementFactory

private const val CALLS = 500
private val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean

private inline fun bytesOf(call: () -> Unit): Long {
    val id = Thread.currentThread().id
    repeat(CALLS) { call() }
    val start = threads.getThreadAllocatedBytes(id)
    repeat(CALLS) { call() }
    return (threads.getThreadAllocatedBytes(id) - start) / CALLS
}

/** Prints whose the results of calls are, and what a list costs that is given back. */
fun main() {
    val images = List(2) { n -> ByteArray(64) { (it * (3 + 20 * n)).toByte() } }
    Digits.create(DesktopContext("dropkit.assets"), listOf(Accelerator.CPU)).use { digits ->
        val first = digits.classify(images[0])
        val kept = first.digit.copyOf()
        val best = first.digitTop(2)
        val words = best.toString()
        val second = digits.classify(images[1])
        println("own ${first !== second} ${first.digit.contentEquals(kept)} ${best.toString() == words}")
        println("other ${!second.digit.contentEquals(kept)}")
        println("reused ${digits.classify(images[1], first) === first} ${first.digit.contentEquals(second.digit)}")
        println("list ${first.digitTop(2, reuse = best) === best} ${best.toString() == second.digitTop(2).toString()}")
        println("more ${second.digitTop(10).size} ${second.digitTop(99).size} ${second.digitTop(5, threshold = 2f).size}")
        println("sorted ${second.digitTop(10).zipWithNext().all { (a, b) -> a.score >= b.score }}")
        val scores = FloatArray(10)
        println("bytes ${bytesOf { first.digitTop(2, reuse = best) }} ${bytesOf { first.digitScores(scores) }}")
    }
}
