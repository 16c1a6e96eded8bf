package com.google.android.gms.tasks;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Tasks that are complete from the start, and waiting for one. */
public final class Tasks {
  private static final class Fixed<T> extends Task<T> {
    private final T result;
    private final Exception exception;

    Fixed(T result, Exception exception) {
      this.result = result;
      this.exception = exception;
    }

    @Override
    public boolean isComplete() {
      return true;
    }

    @Override
    public boolean isSuccessful() {
      return exception == null;
    }

    @Override
    public T getResult() {
      return result;
    }

    @Override
    public Exception getException() {
      return exception;
    }
  }

  private Tasks() {}

  public static <TResult> Task<TResult> forResult(TResult result) {
    return new Fixed<>(result, null);
  }

  public static <TResult> Task<TResult> forException(Exception exception) {
    return new Fixed<>(null, exception);
  }

  public static <TResult> TResult await(Task<TResult> task, long timeout, TimeUnit unit)
      throws ExecutionException, InterruptedException, TimeoutException {
    if (!task.isComplete()) {
      // It never will be: the time is not spent.
      throw new TimeoutException("Timed out waiting for Task");
    }
    if (!task.isSuccessful()) {
      throw new ExecutionException(task.getException());
    }
    return task.getResult();
  }
}
