package com.google.ai.edge.litert

import android.content.res.AssetManager
import dropkit.desktop.Session
import dropkit.desktop.TensorInfo
import dropkit.desktop.asLiteRt
import java.io.IOException
import java.nio.ByteBuffer

/** A model, compiled by the native library for the accelerators of its options. */
class CompiledModel
private constructor(
    private val session: Session,
    private val env: Environment,
    private val envManaged: Boolean,
) : JniHandle(0) {
    data class CpuOptions
    constructor(
        val numThreads: Int? = null,
        val xnnPackFlags: Int? = null,
        val xnnPackWeightCachePath: String? = null,
    ) {
        internal fun toToml(): String = buildString {
            numThreads?.let { append("num_threads = $it\n") }
            xnnPackFlags?.let { append("flags = $it\n") }
            xnnPackWeightCachePath?.let { append("weight_cache_file_path = \"$it\"\n") }
        }
    }

    data class GpuOptions
    constructor(
        val constantTensorSharing: Boolean? = null,
        val infiniteFloatCapping: Boolean? = null,
        val allowSrcQuantizedFcConvOps: Boolean? = null,
        val precision: Precision? = null,
        val bufferStorageType: BufferStorageType? = null,
        val preferTextureWeights: Boolean? = null,
        val serializationDir: String? = null,
        val modelCacheKey: String? = null,
        val serializeProgramCache: Boolean? = null,
        val serializeExternalTensors: Boolean? = null,
        val externalTensorsMode: Boolean? = null,
        val externalTensorPattern: String? = null,
        val backend: Backend? = null,
        val priority: Priority? = null,
        val numStepsOfCommandBufferPreparations: Int? = null,
    ) {
        internal fun toToml(): String = buildString {
            precision?.let { append("precision = ${it.value}\n") }
            serializationDir?.let { append("serialization_dir = \"$it\"\n") }
            modelCacheKey?.let { append("model_cache_key = \"$it\"\n") }
            serializeProgramCache?.let { append("serialize_program_cache = $it\n") }
        }

        enum class Precision constructor(val value: Int) {
            DEFAULT(0),
            FP16(1),
            FP32(2),
            FP16_WITH_FP32_ACCUM(3),
        }

        enum class BufferStorageType constructor(val value: Int) {
            DEFAULT(0),
            BUFFER(1),
            TEXTURE_2D(2),
        }

        enum class Backend constructor(val value: Int) {
            AUTOMATIC(0),
            OPENCL(1),
            @Deprecated("Use AUTOMATIC instead.") WEBGPU(2),
            OPENGL(3),
        }

        enum class Priority constructor(val value: Int) {
            DEFAULT(0),
            LOW(1),
            NORMAL(2),
            HIGH(3),
        }
    }

    class Options constructor(internal val accelerators: Set<Accelerator>) {
        constructor(vararg accelerators: Accelerator) : this(setOf(*accelerators))

        var cpuOptions: CpuOptions? = null
        var gpuOptions: GpuOptions? = null

        companion object {
            @JvmStatic val CPU = Options(Accelerator.CPU)
        }
    }

    @Throws(LiteRtException::class)
    fun createInputBuffer(inputName: String, signature: String = ""): TensorBuffer {
        assertNotDestroyed()
        return asLiteRt {
            val index = find(signature)
            TensorBuffer(session.createInput(index, input(index, inputName)))
        }
    }

    @Throws(LiteRtException::class)
    fun getInputBufferRequirements(inputName: String, signature: String = ""): TensorBufferRequirements {
        assertNotDestroyed()
        return asLiteRt {
            val index = find(signature)
            requirements(session.requirements(index, input(index, inputName), true))
        }
    }

    @Throws(LiteRtException::class)
    fun createOutputBuffer(outputName: String, signature: String = ""): TensorBuffer {
        assertNotDestroyed()
        return asLiteRt {
            val index = find(signature)
            TensorBuffer(session.createOutput(index, output(index, outputName)))
        }
    }

    @Throws(LiteRtException::class)
    fun getOutputBufferRequirements(outputName: String, signature: String = ""): TensorBufferRequirements {
        assertNotDestroyed()
        return asLiteRt {
            val index = find(signature)
            requirements(session.requirements(index, output(index, outputName), false))
        }
    }

    @Throws(LiteRtException::class)
    @JvmOverloads
    fun createInputBuffers(signatureIndex: Int = 0): List<TensorBuffer> {
        assertNotDestroyed()
        return asLiteRt {
            session.signatures[checked(signatureIndex)].inputs.indices.map {
                TensorBuffer(session.createInput(signatureIndex, it))
            }
        }
    }

    @Throws(LiteRtException::class)
    fun createInputBuffers(signature: String): List<TensorBuffer> = createInputBuffers(named(signature))

    @Throws(LiteRtException::class)
    @JvmOverloads
    fun createOutputBuffers(signatureIndex: Int = 0): List<TensorBuffer> {
        assertNotDestroyed()
        return asLiteRt {
            session.signatures[checked(signatureIndex)].outputs.indices.map {
                TensorBuffer(session.createOutput(signatureIndex, it))
            }
        }
    }

    @Throws(LiteRtException::class)
    fun createOutputBuffers(signature: String): List<TensorBuffer> = createOutputBuffers(named(signature))

    @Throws(LiteRtException::class)
    @JvmOverloads
    fun run(inputs: List<TensorBuffer>, signatureIndex: Int = 0): List<TensorBuffer> {
        val outputs = createOutputBuffers(signatureIndex)
        run(inputs, outputs, signatureIndex)
        return outputs
    }

    @Throws(LiteRtException::class)
    fun run(inputs: List<TensorBuffer>, signature: String): List<TensorBuffer> = run(inputs, named(signature))

    @Throws(LiteRtException::class)
    @JvmOverloads
    fun run(inputs: List<TensorBuffer>, outputs: List<TensorBuffer>, signatureIndex: Int = 0) {
        assertNotDestroyed()
        asLiteRt {
            val signature = session.signatures[checked(signatureIndex)]
            if (inputs.size != signature.inputs.size || outputs.size != signature.outputs.size) {
                throw LiteRtException(Status.ErrorRuntimeFailure, "Failed to invoke the compiled model")
            }
            // By index: an iterator would be an object for each run.
            for (i in 0 until inputs.size) session.setInput(i, inputs[i].handle)
            for (i in 0 until outputs.size) session.setOutput(i, outputs[i].handle)
            session.run(signatureIndex, inputs.size, outputs.size)
        }
    }

    @Throws(LiteRtException::class)
    fun run(inputs: List<TensorBuffer>, outputs: List<TensorBuffer>, signature: String) =
        run(inputs, outputs, named(signature))

    @Throws(LiteRtException::class)
    fun run(inputs: Map<String, TensorBuffer>, outputs: Map<String, TensorBuffer>, signature: String = "") {
        assertNotDestroyed()
        asLiteRt {
            val index = find(signature)
            val known = session.signatures[index]
            for (i in known.inputs.indices) session.setInput(i, inputs[known.inputs[i].name]?.handle ?: 0)
            for (i in known.outputs.indices) {
                val buffer = outputs[known.outputs[i].name] ?: throw missingOutput()
                session.setOutput(i, buffer.handle)
            }
            session.run(index, known.inputs.size, known.outputs.size)
        }
    }

    fun getInputTensorType(inputName: String, signature: String = ""): TensorType {
        assertNotDestroyed()
        return asLiteRt {
            val index = find(signature)
            tensorType(session.signatures[index].inputs[input(index, inputName)])
        }
    }

    fun getOutputTensorType(outputName: String, signature: String = ""): TensorType {
        assertNotDestroyed()
        return asLiteRt {
            val index = find(signature)
            tensorType(session.signatures[index].outputs[output(index, outputName)])
        }
    }

    override fun destroy() {
        session.destroy()
        if (envManaged) {
            env.close()
        }
    }

    private fun named(signature: String): Int {
        assertNotDestroyed()
        return find(signature)
    }

    // An empty key stands for the first signature.
    private fun find(signature: String): Int {
        if (signature.isEmpty()) return 0
        val known = session.signatures
        for (i in known.indices) if (known[i].key == signature) return i
        throw LiteRtException(Status.ErrorNotFound, "Signature not found: $signature")
    }

    private fun checked(signatureIndex: Int): Int {
        if (signatureIndex in session.signatures.indices) return signatureIndex
        throw LiteRtException(Status.ErrorIndexOOB, "Signature index is out of range: $signatureIndex")
    }

    private fun input(signature: Int, name: String): Int = found(session.signatures[signature].input(name), name)

    private fun output(signature: Int, name: String): Int = found(session.signatures[signature].output(name), name)

    private fun found(index: Int, name: String): Int =
        if (index >= 0) index else throw LiteRtException(Status.ErrorNotFound, "Failed to find tensor: $name")

    private fun missingOutput() =
        LiteRtException(Status.ErrorNotFound, "The given map is missing some output TensorBuffers")

    private fun requirements(asked: IntArray) =
        TensorBufferRequirements(asked.copyOfRange(1, asked.size), asked[0], intArrayOf())

    private fun tensorType(info: TensorInfo): TensorType {
        val element =
            when (info.elementType) {
                TensorInfo.INT32 -> TensorType.ElementType.INT
                TensorInfo.FLOAT32 -> TensorType.ElementType.FLOAT
                TensorInfo.INT8 -> TensorType.ElementType.INT8
                TensorInfo.BOOL -> TensorType.ElementType.BOOLEAN
                TensorInfo.INT64 -> TensorType.ElementType.INT64
                else -> throw LiteRtException(Status.ErrorUnsupported, "Unsupported element type in Kotlin")
            }
        return TensorType(element, TensorType.Layout(info.declared))
    }

    companion object {
        @Throws(LiteRtException::class)
        @JvmOverloads
        @JvmStatic
        fun create(
            assetManager: AssetManager,
            assetName: String,
            options: Options = Options.CPU,
            optionalEnv: Environment? = null,
        ): CompiledModel {
            val bytes = read(assetManager, assetName)
            return compile(options, optionalEnv) { env, bits, own -> Session.fromBytes(env, bytes, bits, own) }
        }

        @Throws(LiteRtException::class)
        @JvmOverloads
        @JvmStatic
        fun create(
            filePath: String,
            options: Options = Options.CPU,
            optionalEnv: Environment? = null,
        ): CompiledModel =
            compile(options, optionalEnv) { env, bits, own -> Session.fromFile(env, filePath, bits, own) }

        private fun read(assetManager: AssetManager, assetName: String): ByteBuffer {
            val bytes =
                try {
                    assetManager.open(assetName).use { it.readBytes() }
                } catch (error: IOException) {
                    throw LiteRtException(Status.ErrorNotFound, "Failed to open asset.")
                }
            if (bytes.isEmpty()) throw LiteRtException(Status.ErrorNotFound, "Empty or invalid asset.")
            return ByteBuffer.allocateDirect(bytes.size).put(bytes)
        }

        private inline fun compile(
            options: Options,
            optionalEnv: Environment?,
            make: (Long, Int, Map<String, String>) -> Session,
        ): CompiledModel {
            val wanted = options.accelerators
            // The published one adds the CPU to a lone NPU, too: a model may be compiled for it in parts.
            val all = if (wanted == setOf(Accelerator.NPU)) setOf(Accelerator.NPU, Accelerator.CPU) else wanted
            val env = optionalEnv ?: Environment.create()
            val own =
                mapOf("xnnpack" to options.cpuOptions?.toToml(), "gpu_options" to options.gpuOptions?.toToml())
            val given = own.mapNotNull { (name, text) -> text?.let { name to it } }.toMap()
            val session = asLiteRt { make(env.handle, Accelerator.bits(all), given) }
            return CompiledModel(session, env, optionalEnv == null)
        }
    }
}
