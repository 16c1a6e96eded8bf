package dropkit

import java.nio.ByteBuffer

/**
 * How Y, U and V become red, green and blue, with factors in 16 fractional bits. A camera of Android has [BT601_FULL],
 * a video mostly [BT709_LIMITED], an old one [BT601_LIMITED].
 *
 * Source: ITU-R BT.601 and BT.709; full range is JFIF's, limited has Y 16..235 and U, V 16..240.
 */
public enum class YuvStandard(
    internal val black: Int,
    internal val luma: Int,
    internal val redV: Int,
    internal val greenU: Int,
    internal val greenV: Int,
    internal val blueU: Int,
) {
    BT601_FULL(0, 65536, 91881, 22553, 46802, 116130),
    BT601_LIMITED(16, 76309, 104597, 25675, 53279, 132201),
    BT709_FULL(0, 65536, 103206, 12276, 30679, 121609),
    BT709_LIMITED(16, 76309, 117489, 13975, 34925, 138438),
}

/**
 * A camera frame in `ImageFormat.YUV_420_888`, read where it lies: nothing is copied, so close its image only after
 * the call that takes it.
 *
 * Of CameraX's `ImageProxy` and of `android.media.Image`:
 *
 *     val (y, u, v) = image.planes.map { YuvFrame.Plane(it.buffer, it.rowStride, it.pixelStride) }
 *     val frame = YuvFrame(image.width, image.height, y, u, v)
 *
 * U and V have half the width and height, rounded up, and each of their values serves two columns and two rows. Calls
 * from several threads take turns at one frame.
 *
 * @throws IllegalArgumentException where a plane is too short for the size.
 */
public class YuvFrame(
    override val width: Int,
    override val height: Int,
    internal val y: Plane,
    internal val u: Plane,
    internal val v: Plane,
    public val standard: YuvStandard = YuvStandard.BT601_FULL,
) : Frame {
    init {
        y.requireSize(width, height, "Y")
        u.requireSize((width + 1) / 2, (height + 1) / 2, "U")
        v.requireSize((width + 1) / 2, (height + 1) / 2, "V")
    }

    /** One plane: its bytes from the buffer's position on, and how many are from a row, and a pixel, to the next. */
    public class Plane(buffer: ByteBuffer, rowStride: Int, pixelStride: Int) {
        internal val bytes: FrameBytes = FrameBytes(buffer, rowStride, pixelStride)

        internal fun requireSize(width: Int, height: Int, name: String) {
            bytes.requireSize(width, height, 1, name)
        }
    }
}
