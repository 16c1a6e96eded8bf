package com.google.ai.edge.litert

import dropkit.desktop.HostBuffer
import dropkit.desktop.asLiteRt

/**
 * The memory of one input or output. As the published one: a write that is too short leaves the rest as it was and
 * says nothing, one that is too long throws, no element type is checked, and every read makes a new array.
 */
class TensorBuffer internal constructor(private val host: HostBuffer) : JniHandle(host.handle) {
    @Throws(LiteRtException::class)
    fun writeInt(data: IntArray) = write(4L * data.size) { it.ints.put(0, data) }

    @Throws(LiteRtException::class)
    fun writeFloat(data: FloatArray) = write(4L * data.size) { it.floats.put(0, data) }

    @Throws(LiteRtException::class)
    fun writeInt8(data: ByteArray) = write(data.size.toLong()) { it.bytes.put(0, data) }

    @Throws(LiteRtException::class)
    fun writeBoolean(data: BooleanArray) =
        write(data.size.toLong()) { for (i in data.indices) it.bytes.put(i, if (data[i]) 1 else 0) }

    @Throws(LiteRtException::class)
    fun writeLong(data: LongArray) = write(8L * data.size) { it.longs.put(0, data) }

    @Throws(LiteRtException::class)
    fun readInt(): IntArray = read(4) { host, count -> IntArray(count).also { host.ints.get(0, it) } }

    @Throws(LiteRtException::class)
    fun readFloat(): FloatArray =
        read(4) { host, count -> FloatArray(count).also { host.floats.get(0, it) } }

    @Throws(LiteRtException::class)
    fun readInt8(): ByteArray = read(1) { host, count -> ByteArray(count).also { host.bytes.get(0, it) } }

    @Throws(LiteRtException::class)
    fun readBoolean(): BooleanArray = read(1) { host, count -> BooleanArray(count) { host.bytes.get(it) != 0.toByte() } }

    @Throws(LiteRtException::class)
    fun readLong(): LongArray = read(8) { host, count -> LongArray(count).also { host.longs.get(0, it) } }

    protected override fun destroy() = host.destroy()

    private inline fun write(size: Long, put: (HostBuffer) -> Unit) {
        assertNotDestroyed()
        asLiteRt {
            host.lock(HostBuffer.WRITE)
            try {
                if (size > host.byteSize) {
                    throw LiteRtException(
                        Status.ErrorRuntimeFailure,
                        "TensorBuffer host memory buffer size is smaller than the given data size, " +
                            "${host.byteSize} vs $size",
                    )
                }
                put(host)
            } finally {
                host.unlock()
            }
        }
    }

    private inline fun <T> read(width: Int, get: (HostBuffer, Int) -> T): T {
        assertNotDestroyed()
        return asLiteRt {
            host.lock(HostBuffer.READ)
            try {
                // The published one reads on past the end here, which no proof should pass.
                check(host.elements.toLong() * width <= host.byteSize) { "read past the end of ${host.info.name}" }
                get(host, host.elements)
            } finally {
                host.unlock()
            }
        }
    }
}

/** What kind of memory a buffer is; a desktop knows the first two. */
enum class TensorBufferType(private val type: Int) {
    Unknown(0),
    HostMemory(1),
    Ahwb(2),
    Ion(3),
    DmaBuf(4),
    FastRpc(5),
    GlBuffer(6),
    GlTexture(7),
    OpenClBuffer(10),
    OpenClBufferFp16(11),
    OpenClTexture(12),
    OpenClTextureFp16(13),
    OpenClBufferPacked(14),
    OpenClImageBuffer(15),
    OpenClImageBufferFp16(16);

    companion object {
        fun of(type: Int): TensorBufferType = values().firstOrNull { it.type == type } ?: Unknown
    }
}

/** What a buffer must be for a model to take it. */
data class TensorBufferRequirements
constructor(
    val supportedTypes: List<TensorBufferType>,
    val bufferSize: Int,
    val strides: List<Int>,
) {
    constructor(
        supportedTypes: IntArray,
        bufferSize: Int,
        strides: IntArray,
    ) : this(supportedTypes.map { TensorBufferType.of(it) }, bufferSize, strides.toList())
}
