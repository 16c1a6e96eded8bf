package android.media;

/** Android's, to compile against: nothing here runs. */
public class MediaRecorder {
  public MediaRecorder() {}

  public final class AudioSource {
    public static final int MIC = 1;

    AudioSource() {}
  }
}
