package android.widget;

import android.content.Context;

/** Android's, to compile against. */
public class ScrollView extends FrameLayout {
  public ScrollView(Context context) {
    super(context);
  }
}
