package android.os;

/** The device: a desktop, reported as API level 35. */
public class Build {
  public static final String MANUFACTURER = "desktop";
  public static final String MODEL = "JVM";
  public static final String HARDWARE = "desktop";
  public static final String ID = "desktop";

  public static class VERSION {
    public static final int SDK_INT = Integer.getInteger("dropkit.sdk", 35);
  }
}
