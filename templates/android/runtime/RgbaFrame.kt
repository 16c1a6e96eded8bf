package dropkit

import java.nio.ByteBuffer

/**
 * A camera frame in `PixelFormat.RGBA_8888`, read where it lies: nothing is copied, so close its image only after the
 * call that takes it. Alpha is not read: a camera's frame is opaque.
 *
 * Of CameraX's `ImageProxy` with `OUTPUT_IMAGE_FORMAT_RGBA_8888`:
 *
 *     val frame = image.planes[0].let { RgbaFrame(image.width, image.height, it.buffer, it.rowStride) }
 *
 * Calls from several threads take turns at one frame.
 *
 * @throws IllegalArgumentException where the buffer is too short for the size.
 */
public class RgbaFrame(
    override val width: Int,
    override val height: Int,
    buffer: ByteBuffer,
    rowStride: Int = 4 * width,
) : Frame {
    internal val bytes: FrameBytes = FrameBytes(buffer, rowStride, 4)

    init {
        bytes.requireSize(width, height, 3, "the frame")
    }
}
