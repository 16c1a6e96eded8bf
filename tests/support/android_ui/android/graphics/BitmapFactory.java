package android.graphics;

import android.annotation.Nullable;
import java.io.InputStream;

/** Android's, to compile against. */
public class BitmapFactory {
  public static class Options {
    public boolean inJustDecodeBounds;
    public int inSampleSize;
    public int outWidth;
    public int outHeight;

    public Options() {}
  }

  @Nullable
  public static Bitmap decodeStream(@Nullable InputStream is, @Nullable Rect outPadding, @Nullable Options opts) {
    return null;
  }
}
