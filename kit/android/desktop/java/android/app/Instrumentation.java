package android.app;

import android.content.Context;
import dropkit.desktop.DesktopContext;

/** Gives the app's context, and the test's own. */
public class Instrumentation {
  private final Context target = new DesktopContext("dropkit.assets");
  private final Context own = new DesktopContext("dropkit.assets.test");

  public Context getTargetContext() {
    return target;
  }

  public Context getContext() {
    return own;
  }
}
