package dropkit.stub

import android.content.Context
import android.graphics.Bitmap

/**
 * A bundle that was dropped into this app. What its model takes decides which screen it gets: another kind of input is one
 * more function here, and one more row in MainActivity.
 *
 * @property selfTest runs the bundle's golden vectors on this device and returns the report
 * @property attempts loads the model and returns what became of each accelerator: the last line is the one that runs
 * @property text runs the model on a text; null where the model takes something else
 * @property sound runs the model on sound as it comes, and shows each of its outputs; null where the model takes something else
 * @property image runs the model on an image; null where the model takes something else
 */
class DroppedBundle(
    val id: String,
    val version: String,
    val selfTest: (Context) -> String,
    val attempts: (Context) -> String,
    val text: ((Context, String) -> Seen)? = null,
    val sound: ((Context, Sound, (Seen) -> Unit) -> Unit)? = null,
    val image: ((Context, Bitmap) -> Seen)? = null,
)
