package org.tensorflow.lite;

import dropkit.desktop.RuntimeInterpreter;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * Runs signatures of a model on the CPU, on the real interpreter. As the published one: inputs must not be empty, a buffer's capacity must be
 * the tensor's size, a direct buffer's position is not looked at, and an output is put at its buffer's position.
 */
public final class Interpreter extends InterpreterImpl implements InterpreterApi {
  /** The options, with the delegates' way of chaining. */
  public static class Options extends InterpreterImpl.Options {
    public Options() {}

    public Options(InterpreterApi.Options options) {
      super(options);
    }

    @Override
    public Options setUseXNNPACK(boolean useXNNPACK) {
      super.setUseXNNPACK(useXNNPACK);
      return this;
    }

    @Override
    public Options setNumThreads(int numThreads) {
      super.setNumThreads(numThreads);
      return this;
    }

    @Override
    public Options setCancellable(boolean allow) {
      super.setCancellable(allow);
      return this;
    }

    @Override
    public Options setRuntime(InterpreterApi.Options.TfLiteRuntime runtime) {
      super.setRuntime(runtime);
      return this;
    }
  }

  private final Map<String, SignatureTensors> tensors = new HashMap<>();
  private RuntimeInterpreter interpreter;
  private long nanos = -1;

  public Interpreter(File modelFile) {
    this(modelFile, null);
  }

  public Interpreter(File modelFile, Options options) {
    this(mapped(modelFile), options);
  }

  public Interpreter(ByteBuffer byteBuffer) {
    this(byteBuffer, null);
  }

  public Interpreter(ByteBuffer byteBuffer, Options options) {
    if (byteBuffer == null
        || !(byteBuffer instanceof MappedByteBuffer
            || (byteBuffer.isDirect() && byteBuffer.order() == ByteOrder.nativeOrder()))) {
      throw new IllegalArgumentException(
          "Model ByteBuffer should be either a MappedByteBuffer of the model file, or a direct "
              + "ByteBuffer using ByteOrder.nativeOrder() which contains bytes of model content.");
    }
    int threads = options == null ? 0 : Math.max(0, options.getNumThreads());
    interpreter = RuntimeInterpreter.of(byteBuffer, threads, options == null || options.getUseXNNPACK());
  }

  private static ByteBuffer mapped(File file) {
    try (FileChannel channel = FileChannel.open(file.toPath())) {
      return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
    } catch (IOException error) {
      throw new IllegalArgumentException("Could not open '" + file + "'.", error);
    }
  }

  @Override
  public void allocateTensors() {
    checkNotClosed();
  }

  @Override
  public void runSignature(Map<String, Object> inputs, Map<String, Object> outputs) {
    runSignature(inputs, outputs, null);
  }

  @Override
  public void runSignature(Map<String, Object> inputs, Map<String, Object> outputs, String signatureKey) {
    checkNotClosed();
    nanos = -1;
    SignatureTensors signature = tensors(signatureKey);
    if (inputs == null || inputs.isEmpty()) {
      throw new IllegalArgumentException("Input error: Inputs should not be null or empty.");
    }
    if (outputs == null) {
      throw new IllegalArgumentException("Input error: Outputs should not be null.");
    }
    signature.checkNames(inputs, outputs);
    signature.write(inputs);
    long start = System.nanoTime();
    signature.run();
    long took = System.nanoTime() - start;
    signature.read(outputs);
    nanos = took;
  }

  @Override
  public Tensor getInputTensorFromSignature(String inputName, String signatureKey) {
    checkNotClosed();
    return tensors(signatureKey).input(inputName).used();
  }

  @Override
  public Tensor getOutputTensorFromSignature(String outputName, String signatureKey) {
    checkNotClosed();
    return tensors(signatureKey).output(outputName).used();
  }

  @Override
  public String[] getSignatureKeys() {
    checkNotClosed();
    return Arrays.stream(interpreter.signatures).map(each -> each.key).toArray(String[]::new);
  }

  @Override
  public String[] getSignatureInputs(String signatureKey) {
    checkNotClosed();
    return tensors(signatureKey).inputNames();
  }

  @Override
  public String[] getSignatureOutputs(String signatureKey) {
    checkNotClosed();
    return tensors(signatureKey).outputNames();
  }

  @Override
  public Long getLastNativeInferenceDurationNanoseconds() {
    checkNotClosed();
    return nanos < 0 ? null : nanos;
  }

  /** Sets what operators keep from call to call to what it was at first. */
  public void resetVariableTensors() {
    checkNotClosed();
    interpreter.resetVariableTensors();
  }

  private SignatureTensors tensors(String signatureKey) {
    if (signatureKey == null) {
      if (interpreter.signatures.length != 1) {
        throw new IllegalArgumentException(
            "Input error: SignatureDef signatureKey should not be null. null is only allowed if the"
                + " model has a single Signature. Available Signatures: "
                + Arrays.toString(getSignatureKeys()));
      }
      signatureKey = interpreter.signatures[0].key;
    }
    SignatureTensors known = tensors.get(signatureKey);
    if (known == null) {
      known = SignatureTensors.of(interpreter, signatureKey);
      tensors.put(signatureKey, known);
    }
    return known;
  }

  private void checkNotClosed() {
    if (interpreter == null) {
      throw new IllegalStateException("Internal error: The Interpreter has already been closed.");
    }
  }

  @Override
  public void close() {
    if (interpreter != null) {
      interpreter.close();
      interpreter = null;
      tensors.clear();
    }
  }
}
