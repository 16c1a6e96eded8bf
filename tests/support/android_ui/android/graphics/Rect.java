package android.graphics;

/** Android's, to compile against. */
public final class Rect {
  Rect() {}
}
