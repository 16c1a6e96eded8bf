package android.os;

/** The device: a desktop, reported as API level 35. */
public class Build {
  public static final String MANUFACTURER = "desktop";
  public static final String MODEL = "JVM";
  public static final String HARDWARE = "desktop";
  public static final String ID = "desktop";
  public static final String FINGERPRINT = System.getProperty("dropkit.fingerprint", "desktop");
  public static final String SOC_MANUFACTURER = System.getProperty("dropkit.chip", "desktop");
  public static final String SOC_MODEL = "desktop";

  public static class VERSION {
    public static final int SDK_INT = Integer.getInteger("dropkit.sdk", 35);
  }
}
