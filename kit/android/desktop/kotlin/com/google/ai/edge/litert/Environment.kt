package com.google.ai.edge.litert

import android.content.Context
import dropkit.desktop.Session
import dropkit.desktop.asLiteRt

/** The native library's environment. Its options name vendors' libraries, which a desktop does not have. */
class Environment private constructor(handle: Long) : JniHandle(handle) {
    enum class Option private constructor(val value: Int) {
        CompilerPluginLibraryDir(0),
        DispatchLibraryDir(1),
        SystemRuntimeHandle(23),
        SystemGpuAcceleratorHandle(30),
    }

    protected override fun destroy() = Session.destroyEnvironment(handle)

    @Throws(LiteRtException::class)
    fun getAvailableAccelerators(): Set<Accelerator> {
        assertNotDestroyed()
        return asLiteRt { Accelerator.ofBits(Session.hardware(handle)) }
    }

    companion object {
        @Suppress("UNUSED_PARAMETER")
        @Throws(LiteRtException::class)
        @JvmOverloads
        @JvmStatic
        fun create(
            context: Context,
            options: Map<Option, String> = mapOf(),
            enableCompilerCache: Boolean = true,
        ): Environment = create(options)

        @Suppress("UNUSED_PARAMETER")
        @Throws(LiteRtException::class)
        @JvmOverloads
        @JvmStatic
        fun create(options: Map<Option, String> = mapOf()): Environment =
            asLiteRt { Environment(Session.createEnvironment()) }
    }
}
