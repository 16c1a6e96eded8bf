package android.content;

import android.content.pm.ApplicationInfo;
import android.content.res.AssetManager;
import java.io.File;

/** The parts of android.content.Context that generated code may use. */
public abstract class Context {
  public abstract AssetManager getAssets();

  public abstract Context getApplicationContext();

  public abstract ApplicationInfo getApplicationInfo();

  public abstract String getPackageName();

  public abstract File getCacheDir();

  public abstract File getFilesDir();

  public abstract File getNoBackupFilesDir();
}
