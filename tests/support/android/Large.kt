package large

import android.graphics.Bitmap
import com.example.digits.Digits
import com.example.digits.dropkit.Accelerator
import com.sun.management.ThreadMXBean
import dropkit.desktop.DesktopContext
import java.lang.management.ManagementFactory

private val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean

private fun allocated(): Long = threads.getThreadAllocatedBytes(Thread.currentThread().id)

/** Runs the model on a photo of 12 megapixels, turned, and prints how many bytes that took beside the photo. */
fun main() {
    val photo = Bitmap.createBitmap(4000, 3000, Bitmap.Config.ARGB_8888)
    Digits.create(DesktopContext("dropkit.assets"), listOf(Accelerator.CPU)).use { digits ->
        val before = allocated()
        digits.classify(photo, rotationDegrees = 90)
        println(allocated() - before)
    }
}
