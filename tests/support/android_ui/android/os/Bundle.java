package android.os;

/** Android's, to compile against. */
public final class Bundle extends BaseBundle {
  public Bundle() {}
}
