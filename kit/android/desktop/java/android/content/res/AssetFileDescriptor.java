package android.content.res;

import java.io.Closeable;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;

/** A part of a file: `length` bytes from `startOffset`. */
public class AssetFileDescriptor implements Closeable {
  public static final long UNKNOWN_LENGTH = -1;

  private final FileInputStream file;
  private final long startOffset;
  private final long length;

  AssetFileDescriptor(File file, long startOffset, long length) throws IOException {
    this.file = new FileInputStream(file);
    this.startOffset = startOffset;
    this.length = length;
  }

  public FileDescriptor getFileDescriptor() {
    try {
      return file.getFD();
    } catch (IOException error) {
      throw new IllegalStateException(error);
    }
  }

  public long getStartOffset() {
    return startOffset;
  }

  public long getLength() {
    return length;
  }

  public long getDeclaredLength() {
    return length;
  }

  public FileInputStream createInputStream() throws IOException {
    file.getChannel().position(startOffset);
    return new FileInputStream(file.getFD());
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
