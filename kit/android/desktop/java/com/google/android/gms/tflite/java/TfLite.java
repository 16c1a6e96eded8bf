package com.google.android.gms.tflite.java;

import android.content.Context;
import com.google.android.gms.tasks.Task;
import com.google.android.gms.tasks.Tasks;
import dropkit.desktop.PlayServices;

/** Makes Play services' runtime ready for InterpreterApi. */
public class TfLite {
  private static final class Never extends Task<Void> {
    @Override
    public boolean isComplete() {
      return false;
    }

    @Override
    public boolean isSuccessful() {
      return false;
    }

    @Override
    public Void getResult() {
      throw new IllegalStateException("Task is not yet complete");
    }

    @Override
    public Exception getException() {
      return null;
    }
  }

  private TfLite() {}

  public static Task<Void> initialize(Context context) {
    String fault = PlayServices.ask();
    if (fault == null) {
      return Tasks.forResult(null);
    }
    return fault.equals("absent")
        ? Tasks.forException(new RuntimeException("the module is not available"))
        : new Never();
  }
}
