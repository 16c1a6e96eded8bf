package dropkit.stub

import android.annotation.SuppressLint
import android.media.AudioFormat
import android.media.AudioRecord
import android.media.MediaRecorder

/** Sound of one channel and 16 bits, as it comes. */
interface Sound {
    /** Samples a second. */
    val rate: Int

    /** Gives each block to [take], with how many samples of it count, until there is no more. */
    fun each(take: (ShortArray, Int) -> Unit)
}

/** The device's microphone, until [close]. The app has to hold the permission RECORD_AUDIO. */
class Microphone : Sound, AutoCloseable {
    override val rate = 44_100 // every device records at it

    @Volatile
    private var open = true

    @SuppressLint("MissingPermission") // MainActivity asks for it
    override fun each(take: (ShortArray, Int) -> Unit) {
        val least = AudioRecord.getMinBufferSize(rate, AudioFormat.CHANNEL_IN_MONO, AudioFormat.ENCODING_PCM_16BIT)
        val record = AudioRecord(
            MediaRecorder.AudioSource.MIC,
            rate,
            AudioFormat.CHANNEL_IN_MONO,
            AudioFormat.ENCODING_PCM_16BIT,
            maxOf(least, 2 * rate), // bytes: a second, for a call of the model that takes long
        )
        try {
            check(record.state == AudioRecord.STATE_INITIALIZED) { "the microphone cannot be opened" }
            record.startRecording()
            val block = ShortArray(rate / 10)
            while (open) {
                val count = record.read(block, 0, block.size)
                check(count >= 0) { "the microphone gives the error $count" }
                take(block, count)
            }
            record.stop()
        } finally {
            record.release()
        }
    }

    override fun close() {
        open = false
    }
}
