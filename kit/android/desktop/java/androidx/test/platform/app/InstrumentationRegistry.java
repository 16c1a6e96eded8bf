package androidx.test.platform.app;

import android.app.Instrumentation;

/** Gives the one Instrumentation of the process. */
public final class InstrumentationRegistry {
  private static final Instrumentation INSTRUMENTATION = new Instrumentation();

  private InstrumentationRegistry() {}

  public static Instrumentation getInstrumentation() {
    return INSTRUMENTATION;
  }
}
