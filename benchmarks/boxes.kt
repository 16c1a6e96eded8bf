import com.example.yolo.Yolo
import com.google.ai.edge.litert.Accelerator
import dropkit.desktop.DesktopContext
import kotlin.random.Random

private const val SIDE = 640
private const val COUNT = 8_400
private const val CLASSES = 80
private const val OBJECTS = 40
private const val ROUNDS = 9

/** Candidates around some objects, so near that one of each is kept: `good` of them with scores above 0.25. */
private fun fill(values: FloatArray, good: Int) {
    val random = Random(7)
    val objects = List(OBJECTS) { FloatArray(4) { place -> random.nextFloat() * if (place < 2) SIDE else SIDE / 4 } }
    values.fill(0.01f)
    for (index in 0 until COUNT) {
        val near = index % OBJECTS
        for (place in 0 until 4) {
            values[place * COUNT + index] = objects[near][place] * (0.99f + 0.02f * random.nextFloat())
        }
        if (index < good) values[(4 + near % CLASSES) * COUNT + index] = 0.26f + 0.7f * random.nextFloat()
    }
}

private inline fun best(call: () -> Unit): Long = List(ROUNDS) {
    val start = System.nanoTime()
    call()
    System.nanoTime() - start
}.min()

/** Prints the best ns of the model's call, and of reading its boxes where `good` candidates are above the threshold. */
fun main() {
    Yolo.create(DesktopContext("dropkit.assets"), listOf(Accelerator.CPU), threads = 1).use { model ->
        val image = FloatArray(SIDE * SIDE * 3) { it % 255 / 255f }
        val seen = model.run(image)
        println("model ${best { model.run(image, seen) }}")
        for (good in listOf(400, COUNT)) {
            fill(seen.found, good)
            repeat(30) { seen.foundBoxes() } // compiled by the JVM
            println("$good ${best { seen.foundBoxes() }} ${seen.foundBoxes().size}")
        }
    }
}
