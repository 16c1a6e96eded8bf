package com.google.android.gms.tasks;

/** Something that ends some time, with a result or an exception. */
public abstract class Task<TResult> {
  public Task() {}

  public abstract boolean isComplete();

  public abstract boolean isSuccessful();

  public abstract TResult getResult();

  public abstract Exception getException();
}
