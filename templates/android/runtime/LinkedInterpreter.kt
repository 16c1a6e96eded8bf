package dropkit

import android.content.Context
import java.nio.ByteBuffer
import org.tensorflow.lite.Interpreter

/** The interpreter that the app links. */
internal typealias LinkedInterpreter = Interpreter

internal fun open(content: ByteBuffer, xnnpack: Boolean, threads: Int?): LinkedInterpreter {
    val options = Interpreter.Options()
    options.setUseXNNPACK(xnnpack)
    if (threads != null) options.setNumThreads(threads)
    return Interpreter(content, options)
}

/** Forgets what operators keep from call to call. */
internal fun reset(interpreter: LinkedInterpreter): Unit = interpreter.resetVariableTensors()

/** Nothing has to be waited for. */
@Suppress("UNUSED_PARAMETER")
internal fun prepare(context: Context): Unit = Unit
