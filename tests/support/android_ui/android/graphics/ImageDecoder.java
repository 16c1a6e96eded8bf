package android.graphics;

import android.content.ContentResolver;
import android.net.Uri;
import android.util.Size;
import java.io.IOException;

/** Android's, to compile against. */
public final class ImageDecoder {
  public static final int ALLOCATOR_SOFTWARE = 1;

  public abstract static class Source {
    private Source() {}
  }

  public static class ImageInfo {
    private ImageInfo() {}

    public Size getSize() {
      return null;
    }
  }

  public interface OnHeaderDecodedListener {
    void onHeaderDecoded(ImageDecoder decoder, ImageInfo info, Source source);
  }

  private ImageDecoder() {}

  public static Source createSource(ContentResolver resolver, Uri uri) {
    return null;
  }

  public static Bitmap decodeBitmap(Source src, OnHeaderDecodedListener listener) throws IOException {
    return null;
  }

  public void setAllocator(int allocator) {}

  public int getAllocator() {
    return 0;
  }

  public void setTargetSampleSize(int sampleSize) {}
}
