package dropkit.desktop;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;

/**
 * The process of the runtime's own Python that has the real interpreter, one for this JVM; interpreter_host.py says what
 * they speak. A crash of a kernel ends that process alone: what asked then gets an exception with its last lines.
 */
final class InterpreterHost {
  /** Writes what a request needs, or reads its reply. */
  interface Write {
    void to(DataOutputStream out) throws IOException;
  }

  interface Read<T> {
    T from(DataInputStream in) throws IOException;
  }

  private static final int LAST_LINES = 8;
  private static InterpreterHost running;

  private final Process process;
  private final DataOutputStream out;
  private final DataInputStream in;
  private final Thread listener;
  private final ArrayDeque<String> lines = new ArrayDeque<>();

  private InterpreterHost() throws IOException {
    // -I: neither PYTHON... variables nor a folder of the user's change what runs.
    process =
        new ProcessBuilder(
                property("dropkit.python"), "-I", "-B", "-X", "faulthandler", property("dropkit.interpreter"))
            .start();
    out = new DataOutputStream(new BufferedOutputStream(process.getOutputStream(), 1 << 16));
    in = new DataInputStream(new BufferedInputStream(process.getInputStream(), 1 << 16));
    listener = new Thread(this::listen, "interpreter's stderr");
    listener.setDaemon(true);
    listener.start();
  }

  private static String property(String name) {
    String value = System.getProperty(name);
    if (value == null) {
      throw new IllegalStateException("the system property " + name + " is not set");
    }
    return value;
  }

  /** Sends a request and returns what its reply holds. Throws what the published library throws. */
  static synchronized <T> T ask(char request, Write write, Read<T> read) {
    if (running == null) {
      try {
        running = new InterpreterHost();
      } catch (IOException error) {
        throw new UncheckedIOException("the interpreter's process does not start", error);
      }
    }
    return running.exchange(request, write, read);
  }

  private <T> T exchange(char request, Write write, Read<T> read) {
    try {
      out.writeByte(request);
      write.to(out);
      out.flush();
      switch (in.readByte()) {
        case 0:
          return read.from(in);
        case 1:
          throw new IllegalArgumentException(text(in));
        default:
          throw new IllegalStateException(text(in));
      }
    } catch (IOException gone) {
      throw new IllegalStateException(end(), gone);
    }
  }

  private void listen() {
    try (BufferedReader reader =
        new BufferedReader(new InputStreamReader(process.getErrorStream(), StandardCharsets.UTF_8))) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        System.err.println(line);
        synchronized (lines) {
          lines.add(line);
          if (lines.size() > LAST_LINES) {
            lines.remove();
          }
        }
      }
    } catch (IOException closed) {
      // It ended: whoever asks next says so.
    }
  }

  private String end() {
    try {
      String status = process.waitFor(5, TimeUnit.SECONDS) ? "ended with status " + process.exitValue() : "is silent";
      listener.join(1000);
      synchronized (lines) {
        return "Internal error: the interpreter's process " + status + ": " + String.join(" | ", lines);
      }
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
      return "Internal error: the interpreter's process ended";
    }
  }

  static byte[] content(DataInputStream in) throws IOException {
    byte[] content = new byte[in.readInt()];
    in.readFully(content);
    return content;
  }

  static String text(DataInputStream in) throws IOException {
    return new String(content(in), StandardCharsets.UTF_8);
  }

  static int[] shape(DataInputStream in) throws IOException {
    int[] sizes = new int[in.readInt()];
    for (int i = 0; i < sizes.length; i++) {
      sizes[i] = in.readInt();
    }
    return sizes;
  }

  static void writeContent(DataOutputStream out, byte[] content) throws IOException {
    out.writeInt(content.length);
    out.write(content);
  }

  static void writeShape(DataOutputStream out, int[] sizes) throws IOException {
    out.writeInt(sizes.length);
    for (int size : sizes) {
      out.writeInt(size);
    }
  }
}
