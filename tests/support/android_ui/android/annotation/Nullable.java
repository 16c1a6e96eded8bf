package android.annotation;

/** The compiler then asks Kotlin to look for null. */
public @interface Nullable {}
