package dropkit.proof

import java.io.DataOutputStream

/** Writes one raw output of the self-test; kit/android/proof/jvm.py reads it. */
internal fun DataOutputStream.record(vector: Int, output: String, raw: ByteArray) {
    val name = output.toByteArray()
    writeInt(vector)
    writeInt(name.size)
    write(name)
    writeInt(raw.size)
    write(raw)
}
