package android.os;

import android.annotation.Nullable;

/** Android's, to compile against. */
public class BaseBundle {
  BaseBundle() {}

  @Nullable
  public String getString(@Nullable String key) {
    return null;
  }

  public void putString(@Nullable String key, @Nullable String value) {}
}
