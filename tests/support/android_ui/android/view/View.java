package android.view;

import android.annotation.Nullable;
import android.content.Context;

/** Android's, to compile against. */
public class View {
  public interface OnClickListener {
    void onClick(View v);
  }

  public View(Context context) {}

  public final Context getContext() {
    return null;
  }

  public void setOnClickListener(@Nullable OnClickListener l) {}

  public boolean getFitsSystemWindows() {
    return false;
  }

  public void setFitsSystemWindows(boolean fitSystemWindows) {}
}
