package dropkit

import android.content.Context
import com.google.android.gms.tasks.Tasks
import com.google.android.gms.tflite.java.TfLite
import java.nio.ByteBuffer
import java.util.concurrent.ExecutionException
import java.util.concurrent.TimeUnit
import java.util.concurrent.TimeoutException
import org.tensorflow.lite.InterpreterApi

private const val SECONDS = 60L

/** The interpreter of Google Play services. */
internal typealias LinkedInterpreter = InterpreterApi

internal fun open(content: ByteBuffer, xnnpack: Boolean, threads: Int?): LinkedInterpreter {
    val options = InterpreterApi.Options()
    options.setUseXNNPACK(xnnpack)
    if (threads != null) options.setNumThreads(threads)
    options.setRuntime(InterpreterApi.Options.TfLiteRuntime.FROM_SYSTEM_ONLY)
    return InterpreterApi.create(content, options)
}

/** No model that needs it is built for them. */
internal fun reset(interpreter: LinkedInterpreter): Unit = error("$interpreter cannot forget the state of operators")

/** Waits until Google Play services have their runtime at hand. */
internal fun prepare(context: Context) {
    val remedy = "update Google Play services, or link a runtime that the app brings itself"
    try {
        Tasks.await(TfLite.initialize(context), SECONDS, TimeUnit.SECONDS)
    } catch (error: ExecutionException) {
        val cause = error.cause ?: error
        throw IllegalStateException("Google Play services give no TensorFlow Lite: ${cause.message ?: cause}; $remedy", error)
    } catch (error: TimeoutException) {
        throw IllegalStateException("Google Play services gave no TensorFlow Lite within $SECONDS seconds; $remedy", error)
    }
}
