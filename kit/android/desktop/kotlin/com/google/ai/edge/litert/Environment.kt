package com.google.ai.edge.litert

import android.content.Context
import dropkit.desktop.Session
import dropkit.desktop.asLiteRt

/** The native library's environment. */
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
        private const val COMPILER_CACHE_DIR = 18

        @Throws(LiteRtException::class)
        @JvmOverloads
        @JvmStatic
        fun create(
            context: Context,
            options: Map<Option, String> = mapOf(),
            enableCompilerCache: Boolean = true,
        ): Environment = made(options, context.takeIf { enableCompilerCache })

        @Throws(LiteRtException::class)
        @JvmOverloads
        @JvmStatic
        fun create(options: Map<Option, String> = mapOf()): Environment = made(options, null)

        @Throws(LiteRtException::class)
        @JvmOverloads
        @JvmStatic
        fun create(
            context: Context,
            npuAcceleratorProvider: NpuAcceleratorProvider,
            options: Map<Option, String> = mapOf(),
            enableCompilerCache: Boolean = true,
        ): Environment = made(options + npuAcceleratorProvider.options(), context.takeIf { enableCompilerCache })

        @Throws(LiteRtException::class)
        @JvmOverloads
        @JvmStatic
        fun create(
            npuAcceleratorProvider: NpuAcceleratorProvider,
            options: Map<Option, String> = mapOf(),
        ): Environment = made(options + npuAcceleratorProvider.options(), null)

        // As published: the folder is named where the chip is supported, whatever is in it.
        private fun NpuAcceleratorProvider.options(): Map<Option, String> =
            if (isDeviceSupported() && isLibraryReady()) {
                mapOf(
                    Option.DispatchLibraryDir to getLibraryDir(),
                    Option.CompilerPluginLibraryDir to getLibraryDir(),
                )
            } else {
                mapOf()
            }

        private fun made(options: Map<Option, String>, cached: Context?): Environment {
            val all = options.mapKeys { it.key.value }.toMutableMap()
            if (cached != null) all[COMPILER_CACHE_DIR] = cached.cacheDir.absolutePath
            return asLiteRt {
                Environment(Session.createEnvironment(all.keys.toIntArray(), all.values.toTypedArray()))
            }
        }
    }
}
