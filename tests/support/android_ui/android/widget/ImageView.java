package android.widget;

import android.content.Context;
import android.graphics.Bitmap;
import android.view.View;

/** Android's, to compile against. */
public class ImageView extends View {
  public ImageView(Context context) {
    super(context);
  }

  public boolean getAdjustViewBounds() {
    return false;
  }

  public void setAdjustViewBounds(boolean adjustViewBounds) {}

  public void setImageBitmap(Bitmap bm) {}
}
