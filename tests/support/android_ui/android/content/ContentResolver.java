package android.content;

import android.annotation.Nullable;
import android.net.Uri;
import java.io.FileNotFoundException;
import java.io.InputStream;

/** Android's, to compile against. */
public abstract class ContentResolver {
  ContentResolver() {}

  @Nullable
  public final InputStream openInputStream(Uri uri) throws FileNotFoundException {
    return null;
  }
}
