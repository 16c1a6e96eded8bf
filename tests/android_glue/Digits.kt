package com.example.digits

import android.content.Context
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.TensorBuffer
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.zip.CRC32

/** What selfTest found: the greatest distance in quantization steps, and how many vectors. */
class SelfTest(val vectors: Int, val worst: Int) {
    val passed: Boolean
        get() = vectors > 0 && worst <= 1
}

/** The smallest glue for the digits example: what the proof needs of a bundle's class, and no more. */
class Digits private constructor(private val context: Context, private val model: CompiledModel) : AutoCloseable {
    private val inputs: List<TensorBuffer> = model.createInputBuffers(SIGNATURE)
    private val outputs: List<TensorBuffer> = model.createOutputBuffers(SIGNATURE)

    /** Runs on 8x8 gray values. */
    fun run(image: ByteArray): ByteArray {
        require(image.size == 64) { "image: 64 bytes, not ${image.size}" }
        inputs[0].writeInt8(image)
        model.run(inputs, outputs, SIGNATURE)
        return outputs[0].readInt8()
    }

    /** Replays the golden vectors of the debug app's assets. */
    fun selfTest(record: ((vector: Int, output: String, raw: ByteArray) -> Unit)? = null): SelfTest {
        val golden = golden(context.assets.open("digits/golden.bin").use { it.readBytes() })
        val given = golden.getValue("$SIGNATURE/input/image")
        val wanted = golden.getValue("$SIGNATURE/output/digit")
        var worst = 0
        for (vector in 0 until given.size / 64) {
            val raw = run(given.copyOfRange(vector * 64, vector * 64 + 64))
            record?.invoke(vector, "$SIGNATURE/output/digit", raw)
            for (i in raw.indices) {
                val off = Math.abs((raw[i].toInt() and 255) - (wanted[vector * 10 + i].toInt() and 255))
                worst = maxOf(worst, off)
            }
        }
        return SelfTest(given.size / 64, worst)
    }

    override fun close() {
        inputs.forEach { it.close() }
        outputs.forEach { it.close() }
        model.close()
    }

    companion object {
        private const val SIGNATURE = "serving_default"

        /** Loads the model from the app's assets. */
        fun create(context: Context): Digits =
            Digits(context, CompiledModel.create(context.assets, "digits/model.tflite"))

        private fun golden(bytes: ByteArray): Map<String, ByteArray> {
            val buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)
            val crc = CRC32().also { it.update(bytes, 12, bytes.size - 12) }
            buffer.position(8)
            check(buffer.getInt() == crc.value.toInt()) { "golden.bin: its checksum does not hold" }
            val sections = mutableMapOf<String, ByteArray>()
            repeat(buffer.getInt()) {
                val name = text(buffer)
                text(buffer)
                repeat(buffer.get().toInt()) { buffer.getInt() }
                sections[name] = ByteArray(buffer.getLong().toInt()).also { buffer.get(it) }
            }
            return sections
        }

        private fun text(buffer: ByteBuffer): String =
            String(ByteArray(buffer.getShort().toInt()).also { buffer.get(it) })
    }
}
