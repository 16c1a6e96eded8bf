package android.graphics;

/** An image of ARGB colors in memory. What android.graphics.Bitmap does with a hardware one is kept: no pixels. */
public final class Bitmap {
  /** How an image keeps its pixels. */
  public enum Config {
    ALPHA_8,
    RGB_565,
    ARGB_4444,
    ARGB_8888,
    RGBA_F16,
    HARDWARE,
  }

  private final int width;
  private final int height;
  private final Config config;
  private final int[] colors;
  private boolean recycled;
  private boolean hasAlpha;

  private Bitmap(int width, int height, Config config, int[] colors) {
    if (width <= 0 || height <= 0) {
      throw new IllegalArgumentException("width and height must be > 0");
    }
    this.width = width;
    this.height = height;
    this.config = config;
    this.colors = colors;
    this.hasAlpha = config != Config.RGB_565;
  }

  public static Bitmap createBitmap(int width, int height, Config config) {
    return new Bitmap(width, height, config, new int[Math.max(0, width * height)]);
  }

  public static Bitmap createBitmap(int[] colors, int width, int height, Config config) {
    return new Bitmap(width, height, config, java.util.Arrays.copyOf(colors, width * height));
  }

  /** With a filter pixels would be mixed: here each is the nearest one. */
  public static Bitmap createScaledBitmap(Bitmap src, int dstWidth, int dstHeight, boolean filter) {
    Bitmap scaled = createBitmap(dstWidth, dstHeight, src.config);
    for (int y = 0; y < dstHeight; y++) {
      for (int x = 0; x < dstWidth; x++) {
        scaled.setPixel(x, y, src.getPixel(x * src.width / dstWidth, y * src.height / dstHeight));
      }
    }
    return scaled;
  }

  public Bitmap copy(Config config, boolean isMutable) {
    checkAlive();
    return new Bitmap(width, height, config, colors.clone());
  }

  public int getWidth() {
    return width;
  }

  public int getHeight() {
    return height;
  }

  public Config getConfig() {
    return config;
  }

  public boolean hasAlpha() {
    return hasAlpha;
  }

  public void setHasAlpha(boolean hasAlpha) {
    checkAlive();
    this.hasAlpha = hasAlpha;
  }

  public boolean isRecycled() {
    return recycled;
  }

  public void recycle() {
    recycled = true;
  }

  public int getPixel(int x, int y) {
    checkReadable();
    checkInside(x, y, 1, 1);
    return colors[y * width + x];
  }

  public void setPixel(int x, int y, int color) {
    checkReadable();
    checkInside(x, y, 1, 1);
    colors[y * width + x] = color;
  }

  public void getPixels(int[] pixels, int offset, int stride, int x, int y, int width, int height) {
    checkReadable();
    checkInside(x, y, width, height);
    checkArray(pixels, offset, stride, width, height);
    for (int row = 0; row < height; row++) {
      System.arraycopy(colors, (y + row) * this.width + x, pixels, offset + row * stride, width);
    }
  }

  public void setPixels(int[] pixels, int offset, int stride, int x, int y, int width, int height) {
    checkReadable();
    checkInside(x, y, width, height);
    checkArray(pixels, offset, stride, width, height);
    for (int row = 0; row < height; row++) {
      System.arraycopy(pixels, offset + row * stride, colors, (y + row) * this.width + x, width);
    }
  }

  private void checkAlive() {
    if (recycled) {
      throw new IllegalStateException("Can't use a recycled bitmap");
    }
  }

  private void checkReadable() {
    checkAlive();
    if (config == Config.HARDWARE) {
      throw new IllegalStateException("unable to get or set pixels, pixel access is not supported on Config#HARDWARE");
    }
  }

  private void checkInside(int x, int y, int width, int height) {
    if (x < 0 || y < 0 || width < 0 || height < 0 || x + width > this.width || y + height > this.height) {
      throw new IllegalArgumentException("the rectangle must be inside the bitmap");
    }
  }

  private static void checkArray(int[] pixels, int offset, int stride, int width, int height) {
    if (Math.abs(stride) < width) {
      throw new IllegalArgumentException("abs(stride) must be >= width");
    }
    int last = offset + (height - 1) * stride;
    if (offset < 0 || offset + width > pixels.length || last < 0 || last + width > pixels.length) {
      throw new ArrayIndexOutOfBoundsException();
    }
  }
}
