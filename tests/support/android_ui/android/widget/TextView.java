package android.widget;

import android.content.Context;
import android.view.View;

/** Android's, to compile against. */
public class TextView extends View {
  public TextView(Context context) {
    super(context);
  }

  public CharSequence getText() {
    return null;
  }

  public final void setText(CharSequence text) {}

  public final void setText(int resid) {}

  public CharSequence getHint() {
    return null;
  }

  public final void setHint(int resid) {}

  public boolean isTextSelectable() {
    return false;
  }

  public void setTextIsSelectable(boolean selectable) {}
}
