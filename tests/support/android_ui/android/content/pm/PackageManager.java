package android.content.pm;

/** Android's, to compile against: nothing here runs. */
public abstract class PackageManager {
  public static final int PERMISSION_GRANTED = 0;

  public PackageManager() {}
}
