package android.content;

import android.content.pm.ApplicationInfo;
import android.content.res.AssetManager;
import java.io.File;

/** Android's, to compile against: with what kit/android/desktop has of it, for its class stands before that one. */
public abstract class Context {
  public Context() {}

  public AssetManager getAssets() {
    return null;
  }

  public Context getApplicationContext() {
    return null;
  }

  public ApplicationInfo getApplicationInfo() {
    return null;
  }

  public String getPackageName() {
    return null;
  }

  public File getCacheDir() {
    return null;
  }

  public File getFilesDir() {
    return null;
  }

  public File getNoBackupFilesDir() {
    return null;
  }

  public int checkSelfPermission(String permission) {
    return 0;
  }

  public ContentResolver getContentResolver() {
    return null;
  }

  public final String getString(int resId) {
    return null;
  }

  public final String getString(int resId, Object... formatArgs) {
    return null;
  }
}
