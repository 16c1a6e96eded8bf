package org.tensorflow.lite;

import dropkit.desktop.PlayServices;
import java.nio.ByteBuffer;
import java.util.Map;

/** The part of the published interface that runs by signature. Runs by index are left out: generated code has none. */
public interface InterpreterApi extends AutoCloseable {
  /** How an interpreter runs. */
  class Options {
    public enum TfLiteRuntime {
      FROM_APPLICATION_ONLY,
      FROM_SYSTEM_ONLY,
      PREFER_SYSTEM_OVER_APPLICATION,
    }

    TfLiteRuntime runtime = TfLiteRuntime.FROM_APPLICATION_ONLY;
    int numThreads = -1;
    Boolean useXNNPACK;
    Boolean allowCancellation;

    public Options() {}

    public Options(Options other) {
      runtime = other.runtime;
      numThreads = other.numThreads;
      useXNNPACK = other.useXNNPACK;
      allowCancellation = other.allowCancellation;
    }

    public Options setNumThreads(int numThreads) {
      this.numThreads = numThreads;
      return this;
    }

    public int getNumThreads() {
      return numThreads;
    }

    public Options setCancellable(boolean allow) {
      this.allowCancellation = allow;
      return this;
    }

    public boolean isCancellable() {
      return allowCancellation != null && allowCancellation;
    }

    public Options setRuntime(TfLiteRuntime runtime) {
      this.runtime = runtime;
      return this;
    }

    public TfLiteRuntime getRuntime() {
      return runtime;
    }

    public Options setUseXNNPACK(boolean useXNNPACK) {
      this.useXNNPACK = useXNNPACK;
      return this;
    }

    public boolean getUseXNNPACK() {
      return useXNNPACK == null || useXNNPACK;
    }
  }

  /**
   * Makes an interpreter of the runtime that the options name. The system's is there once Play services were
   * initialized; here it is the same library as the app's.
   */
  static InterpreterApi create(ByteBuffer byteBuffer, Options options) {
    if (options != null && options.runtime == Options.TfLiteRuntime.FROM_SYSTEM_ONLY && !PlayServices.ready()) {
      throw new IllegalStateException(
          "Couldn't find TensorFlow Lite's system implementation: was TfLite.initialize(...) awaited?");
    }
    return new Interpreter(byteBuffer, options == null ? null : new Interpreter.Options(options));
  }

  void allocateTensors();

  void runSignature(Map<String, Object> inputs, Map<String, Object> outputs, String signatureKey);

  void runSignature(Map<String, Object> inputs, Map<String, Object> outputs);

  Tensor getInputTensorFromSignature(String inputName, String signatureKey);

  String[] getSignatureKeys();

  String[] getSignatureInputs(String signatureKey);

  String[] getSignatureOutputs(String signatureKey);

  Tensor getOutputTensorFromSignature(String outputName, String signatureKey);

  Long getLastNativeInferenceDurationNanoseconds();

  @Override
  void close();
}
