package dropkit

internal enum class ImageResize { STRETCH, CROP, LETTERBOX }

/** A box of pixels that changes with the frame, so that a call makes none. */
internal class FrameBox {
    internal var left: Int = 0
    internal var top: Int = 0
    internal var width: Int = 0
    internal var height: Int = 0

    internal fun set(left: Int, top: Int, width: Int, height: Int) {
        this.left = left
        this.top = top
        this.width = width
        this.height = height
    }

    internal fun isSame(other: FrameBox): Boolean =
        left == other.left && top == other.top && width == other.width && height == other.height
}

/** Which part of a frame goes where in a model's image: turned clockwise, mirrored, cut to a region, resized. */
internal class FrameLayout(private val width: Int, private val height: Int, private val resize: ImageResize) {
    /** How many quarter turns clockwise. */
    internal var turns: Int = 0
        private set
    internal var mirror: Boolean = false
        private set

    /** Which pixels of the frame, as it lies. */
    internal val source: FrameBox = FrameBox()

    /** Which pixels of the model's image. */
    internal val target: FrameBox = FrameBox()

    /** (a, b, c, d, e, f): frame x = a * x + b * y + c, frame y = d * x + e * y + f, for x and y of [ImageInput]. */
    internal val placement: DoubleArray = DoubleArray(6)

    // The frame's size after its turn, and the box of it that is resized.
    private var turnedWidth = 0
    private var turnedHeight = 0
    private val box = FrameBox()

    /** Whether a row of the frame is a column of the model's image. */
    internal val isTransposed: Boolean get() = turns % 2 == 1

    /** Whether going right in the frame is going left, or up, in the model's image. */
    internal val isReversedAcross: Boolean
        get() = when (turns) {
            0 -> mirror
            1 -> false
            2 -> !mirror
            else -> true
        }

    /** Whether going down in the frame is going left, or up, in the model's image. */
    internal val isReversedDown: Boolean
        get() = when (turns) {
            0 -> false
            1 -> !mirror
            2 -> true
            else -> mirror
        }

    internal fun set(frameWidth: Int, frameHeight: Int, rotationDegrees: Int, mirror: Boolean, region: Region?) {
        require(rotationDegrees % 90 == 0) { "the rotation is $rotationDegrees degrees: give a multiple of 90" }
        turns = (rotationDegrees / 90).mod(4)
        this.mirror = mirror
        turnedWidth = if (isTransposed) frameHeight else frameWidth
        turnedHeight = if (isTransposed) frameWidth else frameHeight
        if (region == null) box.set(0, 0, turnedWidth, turnedHeight) else take(region)
        target.set(0, 0, width, height)
        when (resize) {
            ImageResize.STRETCH -> Unit
            ImageResize.CROP -> crop()
            ImageResize.LETTERBOX -> letterbox()
        }
        setSource()
        setPlacement()
    }

    private fun take(region: Region) {
        require(region.width <= turnedWidth - region.left && region.height <= turnedHeight - region.top) {
            "the region (left ${region.left}, top ${region.top}, ${region.width} x ${region.height}) is not inside " +
                "the turned frame of $turnedWidth x $turnedHeight pixels: give a part of that"
        }
        box.set(region.left, region.top, region.width, region.height)
    }

    /** Keeps the largest centred box of the model's proportions. */
    private fun crop() {
        val boxWidth = maxOf(1L, minOf(box.width.toLong(), box.height.toLong() * width / height)).toInt()
        val boxHeight = maxOf(1L, minOf(box.height.toLong(), box.width.toLong() * height / width)).toInt()
        box.set(box.left + (box.width - boxWidth) / 2, box.top + (box.height - boxHeight) / 2, boxWidth, boxHeight)
    }

    /** Centres the largest size of the box's proportions, rounded halves up. */
    private fun letterbox() {
        val boxWidth = box.width.toLong()
        val boxHeight = box.height.toLong()
        if (boxWidth * height > boxHeight * width) {
            val high = maxOf(1L, (2 * boxHeight * width + boxWidth) / (2 * boxWidth)).toInt()
            target.set(0, (height - high) / 2, width, high)
        } else {
            val wide = maxOf(1L, (2 * boxWidth * height + boxHeight) / (2 * boxHeight)).toInt()
            target.set((width - wide) / 2, 0, wide, height)
        }
    }

    /** Finds the box in the frame as it lies. */
    private fun setSource() {
        val right = turnedWidth - box.left - box.width
        val bottom = turnedHeight - box.top - box.height
        val left = if (mirror) right else box.left
        val otherSide = if (mirror) box.left else right
        when (turns) {
            0 -> source.set(left, box.top, box.width, box.height)
            1 -> source.set(box.top, otherSide, box.height, box.width)
            2 -> source.set(otherSide, bottom, box.width, box.height)
            else -> source.set(bottom, left, box.height, box.width)
        }
    }

    private fun setPlacement() {
        val across = box.width.toDouble() / target.width
        val down = box.height.toDouble() / target.height
        val start = box.left - target.left * across
        val x = if (mirror) -width * across else width * across
        val left = if (mirror) turnedWidth - start else start
        val y = height * down
        val top = box.top - target.top * down
        when (turns) {
            0 -> place(x, 0.0, left, 0.0, y, top)
            1 -> place(0.0, y, top, -x, 0.0, turnedWidth - left)
            2 -> place(-x, 0.0, turnedWidth - left, 0.0, -y, turnedHeight - top)
            else -> place(0.0, -y, turnedHeight - top, x, 0.0, left)
        }
    }

    private fun place(a: Double, b: Double, c: Double, d: Double, e: Double, f: Double) {
        placement[0] = a
        placement[1] = b
        placement[2] = c
        placement[3] = d
        placement[4] = e
        placement[5] = f
    }
}
