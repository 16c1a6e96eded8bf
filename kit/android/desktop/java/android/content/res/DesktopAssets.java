package android.content.res;

import java.io.File;
import java.util.Arrays;

/** Makes an AssetManager, whose constructor no app may call. Not a class of Android. */
public final class DesktopAssets {
  private DesktopAssets() {}

  /** folders: paths joined with the path separator, the first that has a file wins; deflated: asset names, alike. */
  public static AssetManager of(String folders, String deflated) {
    return new AssetManager(split(folders), split(deflated));
  }

  private static String[] split(String joined) {
    return Arrays.stream(joined.split(File.pathSeparator)).filter(each -> !each.isEmpty()).toArray(String[]::new);
  }
}
