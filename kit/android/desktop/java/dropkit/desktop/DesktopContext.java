package dropkit.desktop;

import android.content.Context;
import android.content.pm.ApplicationInfo;
import android.content.res.AssetManager;
import android.content.res.DesktopAssets;
import java.io.File;

/**
 * A Context whose assets are the folders that the system property "dropkit.assets" names. Its caches are in the folder
 * "dropkit.cache", its native libraries in "dropkit.libraries".
 */
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
  public ApplicationInfo getApplicationInfo() {
    ApplicationInfo info = new ApplicationInfo();
    info.nativeLibraryDir = System.getProperty("dropkit.libraries", "/nonexistent");
    info.sourceDir = System.getProperty("dropkit.assets", "");
    return info;
  }

  @Override
  public String getPackageName() {
    return "dropkit.desktop";
  }

  @Override
  public File getCacheDir() {
    return new File(System.getProperty("dropkit.cache", System.getProperty("java.io.tmpdir")));
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
