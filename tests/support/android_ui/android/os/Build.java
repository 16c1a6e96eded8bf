package android.os;

/** Android's, to compile against: with what kit/android/desktop has of it. */
public class Build {
  public static final String MANUFACTURER = "";
  public static final String MODEL = "";
  public static final String HARDWARE = "";
  public static final String ID = "";
  public static final String FINGERPRINT = "";
  public static final String SOC_MANUFACTURER = "";
  public static final String SOC_MODEL = "";

  public static class VERSION {
    public static final int SDK_INT = Integer.getInteger("dropkit.sdk", 35);
  }

  public static class VERSION_CODES {
    public static final int P = 28;
  }
}
