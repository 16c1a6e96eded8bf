package org.tensorflow.lite;

import dropkit.desktop.Failure;
import dropkit.desktop.Session;
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * Runs signatures of a model on the CPU. As the published one: inputs must not be empty, a buffer's capacity must be
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

  private final long environment;
  private final Map<String, SignatureTensors> tensors = new HashMap<>();
  private Session session;
  private long nanos = -1;

  public Interpreter(File modelFile) {
    this(modelFile, null);
  }

  public Interpreter(File modelFile, Options options) {
    environment = Session.createEnvironment();
    session = made(() -> Session.fromFile(environment, modelFile.getAbsolutePath(), 1, toml(options)));
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
    environment = Session.createEnvironment();
    session = made(() -> Session.fromBytes(environment, byteBuffer, 1, toml(options)));
  }

  private static Session made(java.util.function.Supplier<Session> make) {
    try {
      return make.get();
    } catch (Failure failure) {
      throw new IllegalArgumentException("Internal error: Cannot create interpreter: " + failure.getMessage());
    }
  }

  private static String toml(Options options) {
    if (options == null) {
      return "";
    }
    String threads = options.getNumThreads() > 0 ? "num_threads = " + options.getNumThreads() + "\n" : "";
    return threads + (options.getUseXNNPACK() ? "" : "kernel_mode = \"builtin\"\n");
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
    try {
      signature.write(inputs);
    } catch (Failure failure) {
      throw new IllegalArgumentException("Internal error: Failed to resize or allocate: " + failure.getMessage());
    }
    long start = System.nanoTime();
    try {
      signature.run();
    } catch (Failure failure) {
      throw new IllegalStateException("Internal error: Failed to run on the given Interpreter: " + failure.getMessage());
    }
    long took = System.nanoTime() - start;
    signature.read(outputs);
    nanos = took;
  }

  @Override
  public Tensor getInputTensorFromSignature(String inputName, String signatureKey) {
    checkNotClosed();
    return tensors(signatureKey).input(inputName);
  }

  @Override
  public Tensor getOutputTensorFromSignature(String outputName, String signatureKey) {
    checkNotClosed();
    return tensors(signatureKey).output(outputName);
  }

  @Override
  public String[] getSignatureKeys() {
    checkNotClosed();
    return Arrays.stream(session.signatures).map(each -> each.key).toArray(String[]::new);
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

  private SignatureTensors tensors(String signatureKey) {
    if (signatureKey == null) {
      if (session.signatures.length != 1) {
        throw new IllegalArgumentException(
            "Input error: SignatureDef signatureKey should not be null. null is only allowed if the"
                + " model has a single Signature. Available Signatures: "
                + Arrays.toString(getSignatureKeys()));
      }
      signatureKey = session.signatures[0].key;
    }
    SignatureTensors known = tensors.get(signatureKey);
    if (known == null) {
      known = SignatureTensors.of(session, signatureKey);
      tensors.put(signatureKey, known);
    }
    return known;
  }

  private void checkNotClosed() {
    if (session == null) {
      throw new IllegalStateException("Internal error: The Interpreter has already been closed.");
    }
  }

  @Override
  public void close() {
    if (session != null) {
      tensors.values().forEach(SignatureTensors::destroy);
      session.destroy();
      Session.destroyEnvironment(environment);
      session = null;
    }
  }
}
