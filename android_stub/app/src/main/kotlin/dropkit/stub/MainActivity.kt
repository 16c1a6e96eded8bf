package dropkit.stub

import android.Manifest
import android.app.Activity
import android.content.Context
import android.content.Intent
import android.content.pm.PackageManager
import android.os.Bundle
import android.view.ViewGroup.LayoutParams.MATCH_PARENT
import android.view.ViewGroup.LayoutParams.WRAP_CONTENT
import android.widget.Button
import android.widget.EditText
import android.widget.ImageView
import android.widget.LinearLayout
import android.widget.ScrollView
import android.widget.TextView
import java.util.concurrent.Executors

/** Shows each dropped bundle: buttons for its self-test and for the accelerators, and one for an image or the microphone, or a line for a text. */
class MainActivity : Activity() {
    private val worker = Executors.newSingleThreadExecutor()
    private lateinit var imageView: ImageView
    private lateinit var result: TextView
    private var asking: String? = null // the id of the bundle that an image is chosen for
    private var microphone: Microphone? = null // while a bundle listens

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        asking = savedInstanceState?.getString(ASKING)
        imageView = ImageView(this).apply { adjustViewBounds = true }
        result = TextView(this).apply { setTextIsSelectable(true) }
        val column = LinearLayout(this).apply { orientation = LinearLayout.VERTICAL }
        if (BUNDLES.isEmpty()) result.setText(R.string.empty)
        for (bundle in BUNDLES) column.addView(row(bundle), MATCH_PARENT, WRAP_CONTENT)
        column.addView(imageView, MATCH_PARENT, WRAP_CONTENT)
        column.addView(result, MATCH_PARENT, WRAP_CONTENT)
        setContentView(
            ScrollView(this).apply {
                fitsSystemWindows = true
                addView(column)
            },
        )
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        outState.putString(ASKING, asking)
    }

    override fun onDestroy() {
        silence()
        worker.shutdown()
        super.onDestroy()
    }

    private fun row(bundle: DroppedBundle) = LinearLayout(this).apply {
        addView(TextView(context).apply { text = getString(R.string.bundle, bundle.id, bundle.version) })
        addView(button(R.string.self_test) { run { Seen(bundle.selfTest(this@MainActivity)) } })
        addView(button(R.string.accelerators) { run { Seen(bundle.attempts(this@MainActivity)) } })
        if (bundle.image != null) addView(button(R.string.image) { choose(bundle) })
        bundle.text?.let { read ->
            val line = EditText(context).apply { setHint(R.string.text) }
            val go = button(R.string.run) { line.text.toString().let { text -> run { read(this@MainActivity, text) } } }
            addView(go)
            addView(line, MATCH_PARENT, WRAP_CONTENT)
        }
        bundle.sound?.let { hear -> addView(button(R.string.listen) { listen(hear) }) }
    }

    private fun button(label: Int, action: () -> Unit) = Button(this).apply {
        setText(label)
        setOnClickListener { action() }
    }

    /** Runs [work] off the main thread and shows what it returns, or why it failed. */
    private fun run(work: () -> Seen) {
        silence() // it keeps the worker busy
        result.text = ""
        worker.execute {
            val seen = runCatching(work).getOrElse { error -> Seen(error.toString()) }
            runOnUiThread { result.text = seen.words }
        }
    }

    /** Starts to listen, or stops; asks for the microphone first where the app may not use it yet. */
    private fun listen(hear: (Context, Sound, (Seen) -> Unit) -> Unit) {
        if (silence()) return
        if (checkSelfPermission(Manifest.permission.RECORD_AUDIO) != PackageManager.PERMISSION_GRANTED) {
            requestPermissions(arrayOf(Manifest.permission.RECORD_AUDIO), MICROPHONE)
            result.setText(R.string.allow)
            return
        }
        val sound = Microphone()
        run {
            hear(this, sound) { seen -> runOnUiThread { result.text = seen.words } }
            Seen(getString(R.string.silent))
        }
        microphone = sound
    }

    /** Stops listening; returns false where nothing does. */
    private fun silence(): Boolean {
        val open = microphone ?: return false
        open.close()
        microphone = null
        return true
    }

    private fun choose(bundle: DroppedBundle) {
        asking = bundle.id
        val intent = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("image/*")
        @Suppress("DEPRECATION") // its successor needs a library, and this app has none
        startActivityForResult(intent, IMAGE)
    }

    @Deprecated("Android's own word on it; see choose()")
    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        @Suppress("DEPRECATION")
        super.onActivityResult(requestCode, resultCode, data)
        val uri = data?.data
        val look = BUNDLES.find { it.id == asking }?.image
        if (requestCode != IMAGE || resultCode != RESULT_OK || uri == null || look == null) return
        run {
            val bitmap = readImage(contentResolver, uri) ?: return@run Seen(getString(R.string.unreadable))
            runOnUiThread { imageView.setImageBitmap(bitmap) }
            val seen = look(this, bitmap)
            val drawn = drawOver(bitmap, seen)
            runOnUiThread { imageView.setImageBitmap(drawn) }
            seen
        }
    }

    private companion object {
        const val IMAGE = 1
        const val MICROPHONE = 2
        const val ASKING = "asking"
    }
}
