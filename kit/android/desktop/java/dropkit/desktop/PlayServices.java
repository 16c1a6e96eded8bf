package dropkit.desktop;

/**
 * Whether Google Play services have their runtime at hand. The system property "dropkit.play" makes them "absent", or
 * "silent": the result never comes.
 */
public final class PlayServices {
  private static volatile boolean ready;

  private PlayServices() {}

  public static boolean ready() {
    return ready;
  }

  /** Asks for the runtime; returns "absent" or "silent" where it does not come, and null where it is there. */
  public static String ask() {
    String fault = System.getProperty("dropkit.play");
    ready = fault == null;
    return fault;
  }
}
