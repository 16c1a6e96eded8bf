package com.google.ai.edge.litert

import android.content.Context
import android.os.Build

/** Says whether a device has an NPU that LiteRT knows: by the maker of its chip. */
interface NpuCompatibilityChecker {
    fun isDeviceSupported(): Boolean

    companion object {
        val Qualcomm: NpuCompatibilityChecker = ByMaker("Qualcomm", "QTI")
        val Mediatek: NpuCompatibilityChecker = ByMaker("Mediatek", "MTK")
        val Default: NpuCompatibilityChecker = ByMaker("Qualcomm", "QTI", "Mediatek", "MTK")
    }
}

private class ByMaker(private vararg val makers: String) : NpuCompatibilityChecker {
    override fun isDeviceSupported() =
        Build.VERSION.SDK_INT >= 31 && makers.any { it.equals(Build.SOC_MANUFACTURER.trim(), ignoreCase = true) }
}

/** Where an NPU's libraries are. */
interface NpuAcceleratorProvider {
    fun isDeviceSupported(): Boolean

    fun isLibraryReady(): Boolean

    suspend fun downloadLibrary()

    fun getLibraryDir(): String
}

/** The libraries are those that came with the app. */
class BuiltinNpuAcceleratorProvider
@JvmOverloads
constructor(
    private val context: Context,
    private val npuCompatibilityChecker: NpuCompatibilityChecker = NpuCompatibilityChecker.Default,
) : NpuAcceleratorProvider {
    override fun isDeviceSupported(): Boolean = npuCompatibilityChecker.isDeviceSupported()

    override fun isLibraryReady() = true

    override suspend fun downloadLibrary() {}

    override fun getLibraryDir(): String = context.applicationInfo.nativeLibraryDir
}
