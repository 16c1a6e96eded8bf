package android.graphics;

import android.annotation.Nullable;

/** Android's, without smoothed edges; a letter is a bar. It really draws, for a test to look at. */
public class Canvas {
  private final Bitmap bitmap;

  public Canvas(Bitmap bitmap) {
    this.bitmap = bitmap;
  }

  public void drawBitmap(Bitmap bitmap, float left, float top, @Nullable Paint paint) {
    for (int y = 0; y < bitmap.getHeight(); y++) {
      for (int x = 0; x < bitmap.getWidth(); x++) {
        put(Math.round(left) + x, Math.round(top) + y, bitmap.getPixel(x, y));
      }
    }
  }

  public void drawRect(float left, float top, float right, float bottom, Paint paint) {
    if (paint.getStyle() == Paint.Style.FILL) {
      fill(left, top, right, bottom, paint);
      return;
    }
    float half = paint.getStrokeWidth() / 2;
    fill(left - half, top - half, right + half, top + half, paint);
    fill(left - half, bottom - half, right + half, bottom + half, paint);
    fill(left - half, top + half, left + half, bottom - half, paint);
    fill(right - half, top + half, right + half, bottom - half, paint);
  }

  public void drawCircle(float cx, float cy, float radius, Paint paint) {
    for (int y = Math.round(cy - radius); y < cy + radius; y++) {
      for (int x = Math.round(cx - radius); x < cx + radius; x++) {
        if (Math.hypot(x + 0.5 - cx, y + 0.5 - cy) <= radius) {
          put(x, y, paint.getColor());
        }
      }
    }
  }

  public void drawText(String text, float x, float y, Paint paint) {
    float step = paint.getTextSize() / 2;
    for (int i = 0; i < text.length(); i++) {
      if (text.charAt(i) != ' ') {
        fill(x + (i + 0.2f) * step, y - 1.4f * step, x + (i + 0.8f) * step, y, paint);
      }
    }
  }

  private void fill(float left, float top, float right, float bottom, Paint paint) {
    for (int y = Math.round(top); y < Math.round(bottom); y++) {
      for (int x = Math.round(left); x < Math.round(right); x++) {
        put(x, y, paint.getColor());
      }
    }
  }

  /** Source over what is there. */
  private void put(int x, int y, int color) {
    if (x < 0 || y < 0 || x >= bitmap.getWidth() || y >= bitmap.getHeight()) {
      return;
    }
    int below = bitmap.getPixel(x, y);
    int alpha = color >>> 24;
    int mixed = 0xFF;
    for (int shift = 16; shift >= 0; shift -= 8) {
      int over = color >> shift & 255;
      mixed = mixed << 8 | (over * alpha + (below >> shift & 255) * (255 - alpha) + 127) / 255;
    }
    bitmap.setPixel(x, y, mixed);
  }
}
