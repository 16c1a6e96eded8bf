package android.widget;

import android.content.Context;

/** Android's, to compile against. */
public class Button extends TextView {
  public Button(Context context) {
    super(context);
  }
}
