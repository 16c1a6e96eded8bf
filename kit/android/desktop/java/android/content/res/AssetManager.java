package android.content.res;

import java.io.File;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.TreeSet;

/** Assets from folders. As in an APK, a descriptor is of a larger file, and a deflated asset has none. */
public final class AssetManager implements AutoCloseable {
  // Code that forgets getStartOffset() reads these first.
  private static final byte[] BEFORE = new byte[4096];

  static {
    Arrays.fill(BEFORE, (byte) 0xA5);
  }

  private final String[] folders;
  private final String[] deflated;

  AssetManager(String[] folders, String[] deflated) {
    this.folders = folders;
    this.deflated = deflated;
  }

  private File find(String fileName) throws IOException {
    for (String folder : folders) {
      File file = new File(folder, fileName);
      if (file.isFile()) {
        return file;
      }
    }
    throw new FileNotFoundException(fileName);
  }

  public InputStream open(String fileName) throws IOException {
    return new FileInputStream(find(fileName));
  }

  public AssetFileDescriptor openFd(String fileName) throws IOException {
    File file = find(fileName);
    if (Arrays.asList(deflated).contains(fileName)) {
      throw new FileNotFoundException(
          "This file can not be opened as a file descriptor; it is probably compressed: " + fileName);
    }
    File packed = File.createTempFile("asset", ".pack");
    packed.deleteOnExit();
    try (FileOutputStream out = new FileOutputStream(packed)) {
      out.write(BEFORE);
      Files.copy(file.toPath(), out);
    }
    return new AssetFileDescriptor(packed, BEFORE.length, file.length());
  }

  public String[] list(String path) throws IOException {
    TreeSet<String> names = new TreeSet<>();
    for (String folder : folders) {
      String[] here = new File(folder, path).list();
      if (here != null) {
        names.addAll(Arrays.asList(here));
      }
    }
    return names.toArray(new String[0]);
  }

  @Override
  public void close() {}
}
