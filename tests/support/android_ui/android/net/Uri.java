package android.net;

/** Android's, to compile against. */
public abstract class Uri {
  Uri() {}
}
