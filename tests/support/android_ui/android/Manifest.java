package android;

/** Android's, to compile against: nothing here runs. */
public final class Manifest {
  public Manifest() {}

  public static final class permission {
    public static final String RECORD_AUDIO = "android.permission.RECORD_AUDIO";

    public permission() {}
  }
}
