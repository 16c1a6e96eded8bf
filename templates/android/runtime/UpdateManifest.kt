package dropkit

import java.security.GeneralSecurityException
import java.security.KeyFactory
import java.security.Signature
import java.security.spec.X509EncodedKeySpec

private const val FORMAT = "1"
private const val ENTRY = """\s*"([a-z0-9_]+)"\s*:\s*(?:"([^"\\]*)"|([0-9]+))\s*"""

/** What this class takes of an update. `key` is a public key of ECDSA P-256 (X.509, in hex), the digests are SHA-256. */
internal class UpdateTerms(
    val id: String,
    /** Of the model in the app's assets. */
    val version: Int,
    val key: String,
    /** Of names, order, types, shapes, quantization and what the values mean. */
    val signature: String,
    /** Of labels, vocabularies and anchors. */
    val labels: String,
) {
    /** Checks who wrote a manifest, then whether it is of a model that this class can run, and returns it. */
    fun check(manifest: ByteArray, signed: ByteArray): UpdateManifest {
        if (!isSigned(manifest, signed)) {
            throw UpdateRefusedException(UpdateFault.WRONG_KEY, "it is not signed with the key that belongs to this app, or was changed since")
        }
        val entries = entries(manifest.decodeToString())
        if (entries["format"] != FORMAT) {
            throw UpdateRefusedException(UpdateFault.UNREADABLE, "its format is ${entries["format"] ?: "none"}, and this app reads $FORMAT")
        }
        fun entry(name: String) = entries[name] ?: throw UpdateRefusedException(UpdateFault.UNREADABLE, "its manifest has no '$name'")
        if (entry("id") != id) throw UpdateRefusedException(UpdateFault.OTHER_MODEL, "it is of the model '${entry("id")}', and this is '$id'")
        if (entry("signature") != signature) {
            throw UpdateRefusedException(
                UpdateFault.OTHER_SIGNATURE,
                "its names, types, shapes, quantization or pre-processing are not those of this app's code",
            )
        }
        if (entry("labels") != labels) {
            throw UpdateRefusedException(UpdateFault.OTHER_LABELS, "its labels, vocabulary or anchors are not those of this app")
        }
        fun number(name: String) = entry(name).toIntOrNull() ?: throw UpdateRefusedException(UpdateFault.UNREADABLE, "its '$name' is no number")
        fun file(name: String, of: String) = SignedFile(name, number("${of}_bytes"), entry("${of}_sha256"))
        val expected = if ("expected_sha256" in entries) file(UpdateContents.EXPECTED, "expected") else null
        return UpdateManifest(number("version"), file(UpdateContents.MODEL, "model"), expected)
    }

    private fun isSigned(manifest: ByteArray, signed: ByteArray): Boolean = try {
        val public = KeyFactory.getInstance("EC").generatePublic(X509EncodedKeySpec(unhex(key)))
        val check = Signature.getInstance("SHA256withECDSA")
        check.initVerify(public)
        check.update(manifest)
        check.verify(signed)
    } catch (_: GeneralSecurityException) {
        false // a signature that is none
    }
}

/** What a signed manifest says. `expected`: what an accelerator is verified with; null of an update that has none. */
internal class UpdateManifest(val version: Int, val model: SignedFile, val expected: SignedFile?) {
    val files: List<SignedFile>
        get() = listOfNotNull(model, expected)
}

/** A file of an update: its name in it, and what was signed. */
internal class SignedFile(val name: String, val bytes: Int, val sha256: String)

/** The keys and values of a JSON object of texts and whole numbers; none where it is another thing. */
private fun entries(text: String): Map<String, String> {
    if (!Regex("""\s*\{$ENTRY(?:,$ENTRY)*\}\s*""").matches(text)) return mapOf()
    return Regex(ENTRY).findAll(text).associate { it.groupValues[1] to it.groupValues[2] + it.groupValues[3] }
}

private fun unhex(text: String): ByteArray = ByteArray(text.length / 2) { text.substring(2 * it, 2 * it + 2).toInt(16).toByte() }
