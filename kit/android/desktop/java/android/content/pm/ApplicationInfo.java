package android.content.pm;

/** What the system knows of an app: where it is installed, and the folder of its native libraries. */
public class ApplicationInfo {
  public String nativeLibraryDir;
  public String sourceDir;
}
