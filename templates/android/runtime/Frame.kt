package dropkit

/** A camera frame, read where it lies: a [YuvFrame] or an [RgbaFrame]. */
public sealed interface Frame {
    public val width: Int
    public val height: Int
}
