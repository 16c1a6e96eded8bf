// Put in the place of PACKAGE and MODEL: a class with an image's input. Runs its pre-processing on images of a file.
import android.graphics.Bitmap
import java.io.DataInputStream
import java.io.DataOutputStream
import java.io.File

/**
 * Reads images from the first file until its end: 32-bit big-endian numbers width, height, target width, target height,
 * colour (an index), crop (0 or 1), rotation, then ARGB pixels. Writes the pixels of each to the second.
 */
fun main(args: Array<String>) {
    val image = Class.forName("PACKAGE.MODEL\$ImageInput")
    val color = Class.forName("PACKAGE.MODEL\$Color")
    val make = image.declaredConstructors.first { it.parameterCount == 4 }.apply { isAccessible = true }
    val load = image.getMethod("load", Bitmap::class.java, Int::class.java).apply { isAccessible = true }
    val pixels = image.getMethod("getPixels").apply { isAccessible = true }
    val made = HashMap<List<Int>, Any>()
    DataInputStream(File(args[0]).inputStream().buffered()).use { cases ->
        DataOutputStream(File(args[1]).outputStream().buffered()).use { out ->
            repeat(cases.readInt()) {
                val (width, height) = List(2) { cases.readInt() }
                val key = List(4) { cases.readInt() }
                val rotation = cases.readInt()
                val colors = IntArray(width * height) { cases.readInt() }
                // One object for each target, as an app has it: its tables must follow the size of each bitmap.
                val one = made.getOrPut(key) { make.newInstance(key[0], key[1], color.enumConstants[key[2]], key[3] == 1) }
                load.invoke(one, Bitmap.createBitmap(colors, width, height, Bitmap.Config.ARGB_8888), rotation)
                out.write(pixels.invoke(one) as ByteArray)
            }
        }
    }
}
