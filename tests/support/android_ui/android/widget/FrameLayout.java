package android.widget;

import android.content.Context;
import android.view.ViewGroup;

/** Android's, to compile against. */
public class FrameLayout extends ViewGroup {
  public FrameLayout(Context context) {
    super(context);
  }
}
