package dropkit.desktop;

import java.io.DataInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;

/** One model on the real interpreter, in the host process. */
public final class RuntimeInterpreter {
  /** What a run gave: each output's shape and bytes. */
  public static final class Result {
    /** Whether tensors got their memory with this run: only then may a shape have changed. */
    public final boolean allocated;

    public final int[][] shapes;
    public final byte[][] contents;

    private Result(DataInputStream in, int count) throws IOException {
      allocated = in.readBoolean();
      shapes = new int[count][];
      contents = new byte[count][];
      for (int i = 0; i < count; i++) {
        shapes[i] = InterpreterHost.shape(in);
        contents[i] = InterpreterHost.content(in);
      }
    }
  }

  public final Signature[] signatures;
  private final boolean[] first;
  private final int handle;

  private RuntimeInterpreter(DataInputStream in) throws IOException {
    handle = in.readInt();
    signatures = new Signature[in.readInt()];
    first = new boolean[signatures.length];
    for (int i = 0; i < signatures.length; i++) {
      String key = InterpreterHost.text(in);
      first[i] = in.readBoolean();
      signatures[i] = new Signature(key, tensors(in), tensors(in));
    }
  }

  private static TensorInfo[] tensors(DataInputStream in) throws IOException {
    TensorInfo[] all = new TensorInfo[in.readInt()];
    for (int i = 0; i < all.length; i++) {
      String name = InterpreterHost.text(in);
      String inGraph = InterpreterHost.text(in);
      int index = in.readInt();
      int type = in.readInt();
      all[i] = new TensorInfo(name, inGraph, index, type, InterpreterHost.shape(in), in.readFloat(), in.readInt());
    }
    return all;
  }

  /**
   * Loads a model and allocates its first subgraph's tensors at the sizes in the file: threads 0 are the interpreter's
   * own choice. Throws IllegalArgumentException for what it cannot load, IllegalStateException where it cannot allocate.
   */
  public static RuntimeInterpreter of(ByteBuffer model, int threads, boolean xnnpack) {
    byte[] content = new byte[model.capacity()];
    model.duplicate().clear().get(content);
    return InterpreterHost.ask(
        'C',
        out -> {
          out.writeInt(threads);
          out.writeBoolean(xnnpack);
          InterpreterHost.writeContent(out, content);
        },
        RuntimeInterpreter::new);
  }

  /** Returns whether a signature calls the file's first subgraph. */
  public boolean isFirst(int signature) {
    return first[signature];
  }

  /** Returns the shape of each input, then of each output, as they are now. */
  public int[][] shapes(int signature) {
    return InterpreterHost.ask(
        'S',
        out -> {
          out.writeInt(handle);
          out.writeInt(signature);
        },
        in -> {
          int[][] all = new int[signatures[signature].inputs.length + signatures[signature].outputs.length][];
          for (int i = 0; i < all.length; i++) {
            all[i] = InterpreterHost.shape(in);
          }
          return all;
        });
  }

  /** Gives an input another shape. Throws IllegalArgumentException where the interpreter refuses it. */
  public void resize(int signature, int input, int[] shape) {
    InterpreterHost.ask(
        'R',
        out -> {
          out.writeInt(handle);
          out.writeInt(signature);
          out.writeInt(input);
          InterpreterHost.writeShape(out, shape);
        },
        in -> null);
  }

  /** Runs a signature on every input's bytes. Throws IllegalStateException with what the interpreter said. */
  public Result run(int signature, byte[][] inputs) {
    return InterpreterHost.ask(
        'I',
        out -> {
          out.writeInt(handle);
          out.writeInt(signature);
          for (byte[] input : inputs) {
            InterpreterHost.writeContent(out, input);
          }
        },
        in -> new Result(in, signatures[signature].outputs.length));
  }

  public void resetVariableTensors() {
    InterpreterHost.ask('V', out -> out.writeInt(handle), in -> null);
  }

  public void close() {
    try {
      InterpreterHost.ask('D', out -> out.writeInt(handle), in -> null);
    } catch (IllegalStateException ended) {
      // The host is gone, and the interpreter with it: the call that met that has said so.
    }
  }
}
