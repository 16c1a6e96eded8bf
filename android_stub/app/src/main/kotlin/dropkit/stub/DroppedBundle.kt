package dropkit.stub

import android.content.Context
import android.graphics.Bitmap

/**
 * A bundle that was dropped into this app.
 *
 * @property selfTest runs the bundle's golden vectors on this device and returns the report
 * @property image runs the model on an image and returns what it sees; null where the model takes something else
 */
class DroppedBundle(
    val id: String,
    val version: String,
    val selfTest: (Context) -> String,
    val image: ((Context, Bitmap) -> String)? = null,
)
