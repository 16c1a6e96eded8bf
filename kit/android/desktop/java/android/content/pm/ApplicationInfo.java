package android.content.pm;

/** What the system knows of an app: the folder of its native libraries. */
public class ApplicationInfo {
  public String nativeLibraryDir;
}
