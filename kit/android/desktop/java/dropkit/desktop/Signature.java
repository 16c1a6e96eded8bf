package dropkit.desktop;

/** A signature: the order of its inputs and outputs is the file's. */
public final class Signature {
  public final String key;
  public final TensorInfo[] inputs;
  public final TensorInfo[] outputs;

  Signature(String key, TensorInfo[] inputs, TensorInfo[] outputs) {
    this.key = key;
    this.inputs = inputs;
    this.outputs = outputs;
  }

  public int input(String name) {
    return find(inputs, name);
  }

  public int output(String name) {
    return find(outputs, name);
  }

  private static int find(TensorInfo[] tensors, String name) {
    for (int i = 0; i < tensors.length; i++) {
      if (tensors[i].name.equals(name)) {
        return i;
      }
    }
    return -1;
  }
}
