package dropkit.stub

import android.content.ContentResolver
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ImageDecoder
import android.net.Uri
import android.os.Build

/** In pixels, of either side: a camera's image is larger, and a model looks at far less. */
private const val LONGEST = 2048

/**
 * Reads an image, smaller where it is very large; null where it is none. Slow: off the main thread.
 *
 * Since Android 9 it is upright, whichever way the camera was held; before it is as it lies in the file.
 */
fun readImage(resolver: ContentResolver, uri: Uri): Bitmap? {
    if (Build.VERSION.SDK_INT < Build.VERSION_CODES.P) return readOld(resolver, uri)
    return ImageDecoder.decodeBitmap(ImageDecoder.createSource(resolver, uri)) { decoder, info, _ ->
        decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE // pixels of a hardware bitmap cannot be read
        decoder.setTargetSampleSize(sampleSize(info.size.width, info.size.height))
    }
}

private fun readOld(resolver: ContentResolver, uri: Uri): Bitmap? {
    val options = BitmapFactory.Options().apply { inJustDecodeBounds = true }
    resolver.openInputStream(uri)?.use { BitmapFactory.decodeStream(it, null, options) }
    options.inJustDecodeBounds = false
    options.inSampleSize = sampleSize(options.outWidth, options.outHeight)
    return resolver.openInputStream(uri)?.use { BitmapFactory.decodeStream(it, null, options) }
}

/** How many pixels become one, along each side. */
private fun sampleSize(width: Int, height: Int): Int = generateSequence(1) { it * 2 }.first { maxOf(width, height) / it <= LONGEST }
