package dropkit.desktop;

import android.content.Context;
import android.content.res.AssetManager;
import android.content.res.DesktopAssets;
import java.io.File;

/** A Context whose assets are the folders that the system property "dropkit.assets" names. */
public final class DesktopContext extends Context {
  private final AssetManager assets;

  public DesktopContext(String property) {
    assets = DesktopAssets.of(System.getProperty(property, ""), System.getProperty("dropkit.deflated", ""));
  }

  @Override
  public AssetManager getAssets() {
    return assets;
  }

  @Override
  public Context getApplicationContext() {
    return this;
  }

  @Override
  public String getPackageName() {
    return "dropkit.desktop";
  }

  @Override
  public File getCacheDir() {
    return new File(System.getProperty("java.io.tmpdir"));
  }

  @Override
  public File getFilesDir() {
    return new File(System.getProperty("java.io.tmpdir"));
  }

  @Override
  public File getNoBackupFilesDir() {
    return getFilesDir();
  }
}
