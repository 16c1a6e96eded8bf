package android.view;

import android.content.Context;

/** Android's, to compile against. */
public abstract class ViewGroup extends View {
  public static class LayoutParams {
    public static final int MATCH_PARENT = -1;
    public static final int WRAP_CONTENT = -2;
  }

  public ViewGroup(Context context) {
    super(context);
  }

  public void addView(View child) {}

  public void addView(View child, int width, int height) {}
}
