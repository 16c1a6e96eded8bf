package android.annotation;

/** Android's, to compile against. */
public @interface SuppressLint {
  String[] value();
}
