package org.tensorflow.lite;

import dropkit.desktop.RuntimeInterpreter;
import dropkit.desktop.Signature;
import java.util.Arrays;
import java.util.Map;

/** The tensors of one signature of an Interpreter, by name. */
final class SignatureTensors {
  private final RuntimeInterpreter interpreter;
  private final int index;
  private final Signature signature;
  private final HostTensor[] inputs;
  private final HostTensor[] outputs;

  private SignatureTensors(RuntimeInterpreter interpreter, int index) {
    this.interpreter = interpreter;
    this.index = index;
    signature = interpreter.signatures[index];
    int[][] shapes = interpreter.shapes(index);
    inputs = new HostTensor[signature.inputs.length];
    for (int i = 0; i < inputs.length; i++) {
      inputs[i] = new HostTensor(signature.inputs[i], shapes[i]);
    }
    outputs = new HostTensor[signature.outputs.length];
    for (int i = 0; i < outputs.length; i++) {
      outputs[i] = new HostTensor(signature.outputs[i], shapes[inputs.length + i]);
    }
  }

  static SignatureTensors of(RuntimeInterpreter interpreter, String key) {
    for (int i = 0; i < interpreter.signatures.length; i++) {
      if (interpreter.signatures[i].key.equals(key)) {
        return new SignatureTensors(interpreter, i);
      }
    }
    throw new IllegalArgumentException("Input error: Signature " + key + " not found.");
  }

  HostTensor input(String name) {
    int found = signature.input(name);
    if (found < 0) {
      throw new IllegalArgumentException("Input error: input " + name + " not found.");
    }
    return inputs[found];
  }

  HostTensor output(String name) {
    int found = signature.output(name);
    if (found < 0) {
      throw new IllegalArgumentException("Input error: output " + name + " not found.");
    }
    return outputs[found];
  }

  String[] inputNames() {
    return Arrays.stream(signature.inputs).map(each -> each.name).toArray(String[]::new);
  }

  String[] outputNames() {
    return Arrays.stream(signature.outputs).map(each -> each.name).toArray(String[]::new);
  }

  void checkNames(Map<String, Object> in, Map<String, Object> out) {
    // The published one has another way for the file's first subgraph, and that way asks again.
    if (interpreter.isFirst(index) && in.size() == 0) {
      throw new IllegalArgumentException("Input error: Inputs should not be null or empty.");
    }
    in.keySet().forEach(this::input);
    out.keySet().forEach(this::output);
  }

  /** Takes the inputs' values. An array of another shape resizes its input; a buffer never does. */
  void write(Map<String, Object> values) {
    for (int i = 0; i < inputs.length; i++) {
      Object value = values.get(signature.inputs[i].name);
      if (value != null) {
        int[] shape = inputs[i].shapeIfDifferent(value);
        if (shape != null) {
          interpreter.resize(index, i, shape);
          inputs[i].resize(shape);
        }
        inputs[i].setTo(value);
      } else if (values.containsKey(signature.inputs[i].name)) {
        throw new IllegalArgumentException("Null inputs are allowed only if the Tensor is bound to a buffer handle.");
      }
    }
  }

  void run() {
    byte[][] given = new byte[inputs.length][];
    for (int i = 0; i < inputs.length; i++) {
      given[i] = inputs[i].content();
    }
    RuntimeInterpreter.Result result = interpreter.run(index, given);
    // The published one looks again at the shapes of the first subgraph's outputs only after an allocation.
    boolean looks = result.allocated || !interpreter.isFirst(index);
    for (int i = 0; i < outputs.length; i++) {
      outputs[i].fill(result.contents[i], result.shapes[i], looks);
    }
  }

  void read(Map<String, Object> values) {
    for (int i = 0; i < outputs.length; i++) {
      Object value = values.get(signature.outputs[i].name);
      if (value != null) {
        outputs[i].used().copyTo(value);
      }
    }
  }
}
