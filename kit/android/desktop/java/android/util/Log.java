package android.util;

/** A log on the standard error. */
public final class Log {
  private Log() {}

  public static int d(String tag, String msg) {
    return say("D", tag, msg, null);
  }

  public static int i(String tag, String msg) {
    return say("I", tag, msg, null);
  }

  public static int w(String tag, String msg) {
    return say("W", tag, msg, null);
  }

  public static int w(String tag, String msg, Throwable tr) {
    return say("W", tag, msg, tr);
  }

  public static int e(String tag, String msg) {
    return say("E", tag, msg, null);
  }

  public static int e(String tag, String msg, Throwable tr) {
    return say("E", tag, msg, tr);
  }

  private static int say(String level, String tag, String msg, Throwable tr) {
    System.err.println(level + "/" + tag + ": " + msg + (tr == null ? "" : ": " + tr));
    return 0;
  }
}
