package dropkit

/**
 * A part of a frame: pixels of the frame as it stands after it was turned and mirrored, from its top left corner.
 *
 * @throws IllegalArgumentException where it is empty or begins outside.
 */
public data class Region(
    public val left: Int,
    public val top: Int,
    public val width: Int,
    public val height: Int,
) {
    init {
        require(left >= 0 && top >= 0 && width > 0 && height > 0) {
            "the region (left $left, top $top, $width x $height) is empty or begins outside: give a part of the frame"
        }
    }
}
