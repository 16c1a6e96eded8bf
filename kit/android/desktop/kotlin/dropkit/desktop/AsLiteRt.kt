package dropkit.desktop

import com.google.ai.edge.litert.LiteRtException

/** Runs a block that calls the C library; what that refuses is thrown as the Kotlin API throws it. */
internal inline fun <T> asLiteRt(block: () -> T): T =
    try {
        block()
    } catch (failure: Failure) {
        throw LiteRtException(failure.status, failure.message ?: "")
    }
