package dropkit.stub

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Paint

private const val YELLOW = 0xFFFFD600.toInt()
private const val BLACK = 0xFF000000.toInt()

/** In pixels: a smaller image is enlarged, so that words can be read on it; on a larger one words and lines grow. */
private const val SHORTEST = 480

/** Returns an image with what a model sees drawn over it. Slow: off the main thread. */
fun drawOver(image: Bitmap, seen: Seen): Bitmap {
    val covered = image.copy(Bitmap.Config.ARGB_8888, true)
    seen.colors?.let { colors ->
        val mask = Bitmap.createBitmap(colors, image.width, image.height, Bitmap.Config.ARGB_8888)
        Canvas(covered).drawBitmap(mask, 0f, 0f, null)
    }
    val longer = maxOf(image.width, image.height)
    val scale = (SHORTEST + longer - 1) / longer
    if (seen.marks.isEmpty()) return covered
    // A scaled copy of the same size would be the image itself.
    val large = if (scale == 1) covered else Bitmap.createScaledBitmap(covered, image.width * scale, image.height * scale, false)
    val brush = Brush(large, maxOf(longer * scale / SHORTEST.toFloat(), 1f))
    val marks = seen.marks.map { it.times(scale.toFloat()) }
    for (mark in marks.asReversed()) { // the best on top
        if (mark.right > mark.left) brush.box(mark)
        brush.word(mark)
    }
    for (mark in marks) if (mark.right <= mark.left) brush.dot(mark) // above all words
    return large
}

private fun Mark.times(scale: Float) = Mark(left * scale, top * scale, right * scale, bottom * scale, word)

/** Draws marks on an image, `unit` times as large as on one of [SHORTEST] pixels. */
private class Brush(private val image: Bitmap, private val unit: Float) {
    private val canvas = Canvas(image)
    private val line = Paint().apply { style = Paint.Style.STROKE }
    private val ground = Paint().apply { color = YELLOW }
    private val letters = Paint().apply {
        color = BLACK
        textSize = 14 * unit
    }

    fun box(mark: Mark) {
        // A dark line below a light one: seen on any image.
        for ((color, width) in listOf(BLACK to 4 * unit, YELLOW to 2 * unit)) {
            line.color = color
            line.strokeWidth = width
            canvas.drawRect(mark.left, mark.top, mark.right, mark.bottom, line)
        }
    }

    fun dot(mark: Mark) {
        canvas.drawCircle(mark.left, mark.top, 5 * unit, letters)
        canvas.drawCircle(mark.left, mark.top, 4 * unit, ground)
    }

    /** Writes the word above a mark, inside of the image. */
    fun word(mark: Mark) {
        val width = letters.measureText(mark.word) + 4 * unit
        val left = mark.left.coerceIn(0f, maxOf(0f, image.width - width))
        val bottom = mark.top.coerceIn(18 * unit, maxOf(18 * unit, image.height.toFloat()))
        canvas.drawRect(left, bottom - 18 * unit, left + width, bottom, ground)
        canvas.drawText(mark.word, left + 2 * unit, bottom - 4 * unit, letters)
    }
}
