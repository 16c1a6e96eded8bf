package org.tensorflow.lite;

import dropkit.desktop.Session;
import java.util.Arrays;
import java.util.Map;

/** The tensors of one signature of an Interpreter, by name. */
final class SignatureTensors {
  private final Session session;
  private final int index;
  private final HostTensor[] inputs;
  private final HostTensor[] outputs;

  private SignatureTensors(Session session, int index) {
    this.session = session;
    this.index = index;
    Session.Signature signature = session.signatures[index];
    inputs = new HostTensor[signature.inputs.length];
    for (int i = 0; i < inputs.length; i++) {
      inputs[i] = new HostTensor(session.createInput(index, i), session.inputSizes(index, i));
    }
    outputs = new HostTensor[signature.outputs.length];
    for (int i = 0; i < outputs.length; i++) {
      outputs[i] = new HostTensor(session.createOutput(index, i), session.outputSizes(index, i));
    }
  }

  static SignatureTensors of(Session session, String key) {
    for (int i = 0; i < session.signatures.length; i++) {
      if (session.signatures[i].key.equals(key)) {
        return new SignatureTensors(session, i);
      }
    }
    throw new IllegalArgumentException("Input error: Signature " + key + " not found.");
  }

  HostTensor input(String name) {
    int found = session.signatures[index].input(name);
    if (found < 0) {
      throw new IllegalArgumentException("Input error: input " + name + " not found.");
    }
    return inputs[found];
  }

  HostTensor output(String name) {
    int found = session.signatures[index].output(name);
    if (found < 0) {
      throw new IllegalArgumentException("Input error: output " + name + " not found.");
    }
    return outputs[found];
  }

  String[] inputNames() {
    return Arrays.stream(inputs).map(each -> each.info().name).toArray(String[]::new);
  }

  String[] outputNames() {
    return Arrays.stream(outputs).map(each -> each.info().name).toArray(String[]::new);
  }

  void checkNames(Map<String, Object> in, Map<String, Object> out) {
    // The published one has another way for the file's first subgraph, and that way asks again.
    if (session.signatures[index].first && in.size() == 0) {
      throw new IllegalArgumentException("Input error: Inputs should not be null or empty.");
    }
    if (inputs.length < in.size() || holds(in, inputs) != in.size()) {
      in.keySet().forEach(this::input);
    }
    if (outputs.length < out.size() || holds(out, outputs) != out.size()) {
      out.keySet().forEach(this::output);
    }
  }

  // Asks by name and index alone: an iterator would be an object for each run.
  private static int holds(Map<String, Object> map, HostTensor[] tensors) {
    int count = 0;
    for (int i = 0; i < tensors.length; i++) {
      if (map.containsKey(tensors[i].info().name)) {
        count++;
      }
    }
    return count;
  }

  void write(Map<String, Object> values) {
    for (int i = 0; i < inputs.length; i++) {
      Object value = values.get(inputs[i].info().name);
      if (value != null) {
        inputs[i] = resized(i, value);
        inputs[i].setTo(value);
      } else if (values.containsKey(inputs[i].info().name)) {
        throw new IllegalArgumentException("Null inputs are allowed only if the Tensor is bound to a buffer handle.");
      }
    }
  }

  /** An array of another shape resizes its input; a buffer never does. */
  private HostTensor resized(int input, Object value) {
    int[] shape = inputs[input].shapeIfDifferent(value);
    if (shape == null) {
      return inputs[input];
    }
    session.resizeInput(index, input, shape, false);
    inputs[input].destroy();
    HostTensor fresh = new HostTensor(session.createInput(index, input), shape);
    for (int i = 0; i < outputs.length; i++) {
      outputs[i].destroy();
      outputs[i] = new HostTensor(session.createOutput(index, i), session.outputSizes(index, i));
    }
    return fresh;
  }

  void run() {
    for (int i = 0; i < inputs.length; i++) {
      session.setInput(i, inputs[i].handle());
    }
    for (int i = 0; i < outputs.length; i++) {
      session.setOutput(i, outputs[i].handle());
    }
    session.run(index, inputs.length, outputs.length);
  }

  void read(Map<String, Object> values) {
    for (int i = 0; i < outputs.length; i++) {
      Object value = values.get(outputs[i].info().name);
      if (value != null) {
        outputs[i].copyTo(value);
      }
    }
  }

  void destroy() {
    for (HostTensor each : inputs) {
      each.destroy();
    }
    for (HostTensor each : outputs) {
      each.destroy();
    }
  }
}
