import android.graphics.Bitmap
import com.example.m.CLASS
import com.example.m.dropkit.Box
import com.example.m.dropkit.Embedding
import com.example.m.dropkit.Keypoint
import com.example.m.dropkit.Mask
import dropkit.desktop.DesktopContext
import java.io.DataInputStream
import java.io.File

private fun words(found: Any?): String = when (found) {
    is Box -> listOf(found.left, found.top, found.right, found.bottom, found.score).bits() + " ${found.label}"
    is Keypoint -> listOf(found.x, found.y, found.score).bits() + " ${found.label}"
    is Mask -> found.classes.joinToString(" ") + " in ${found.frameWidth} ${found.frameHeight} " +
        found.onFrame().joinToString(" ")
    is Embedding -> found.values.asList().bits()
    is List<*> -> found.joinToString(";") { words(it) }
    else -> error("$found")
}

private fun List<Float>.bits(): String = joinToString(" ") { it.toRawBits().toString() }

/** Reads bitmaps from a file, big-endian width, height and ARGB pixels each, and prints what the model sees in each. */
fun main(args: Array<String>) {
    CLASS.create(DesktopContext("dropkit.assets")).use { model ->
        DataInputStream(File(args[0]).inputStream().buffered()).use { input ->
            repeat(input.readInt()) {
                val (width, height) = List(2) { input.readInt() }
                val colors = IntArray(width * height) { input.readInt() }
                val bitmap = Bitmap.createBitmap(colors, width, height, Bitmap.Config.ARGB_8888)
                println(words(model.run(bitmap).FUNCTION()))
            }
        }
    }
}
