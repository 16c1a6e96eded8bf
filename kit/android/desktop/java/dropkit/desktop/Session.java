package dropkit.desktop;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** One compiled model of the C library with its signatures. It knows nothing of the API that stands on it. */
public final class Session {
  private static final int LAYOUT_BYTES = 68;

  public final Signature[] signatures;

  private final long environment;
  private final long model;
  private final long options;
  private final long compiled;
  // The library reads the model where it lies: keep it as long as the model.
  private final Object kept;
  private final Memory inputHandles;
  private final Memory outputHandles;
  private final long inputAddress;
  private final long outputAddress;

  private Session(long environment, long model, Object kept, int accelerators, Map<String, String> own) {
    this.environment = environment;
    this.model = model;
    this.kept = kept;
    this.options = options(accelerators, own);
    long[] handle = new long[1];
    int status = LiteRtC.LiteRtCreateCompiledModel(environment, model, options, handle);
    if (status != 0) {
      LiteRtC.LiteRtDestroyModel(model);
      LiteRtC.LiteRtDestroyOptions(options);
      throw new Failure(status, "Failed to compile model");
    }
    this.compiled = handle[0];
    this.signatures = readSignatures(model);
    int most = 1;
    for (Signature each : signatures) {
      most = Math.max(most, Math.max(each.inputs.length, each.outputs.length));
    }
    this.inputHandles = new Memory(8L * most);
    this.outputHandles = new Memory(8L * most);
    this.inputAddress = Pointer.nativeValue(inputHandles);
    this.outputAddress = Pointer.nativeValue(outputHandles);
  }

  /** Returns an environment with options, each a text. Source: LiteRtEnvOption, 24 bytes with a LiteRtAny of type 8. */
  public static long createEnvironment(int[] tags, String[] values) {
    Memory options = new Memory(Math.max(1, 24L * tags.length));
    options.clear();
    Memory[] texts = new Memory[tags.length];
    for (int i = 0; i < tags.length; i++) {
      byte[] text = (values[i] + "\0").getBytes(StandardCharsets.UTF_8);
      texts[i] = new Memory(text.length);
      texts[i].write(0, text, 0, text.length);
      options.setInt(24L * i, tags[i]);
      options.setInt(24L * i + 8, 8);
      options.setPointer(24L * i + 16, texts[i]);
    }
    long[] handle = new long[1];
    long start = tags.length == 0 ? 0 : Pointer.nativeValue(options);
    Failure.check(LiteRtC.LiteRtCreateEnvironment(tags.length, start, handle), "Failed to create environment");
    // The library has copied the texts.
    Reference.reachabilityFence(texts);
    Reference.reachabilityFence(options);
    return handle[0];
  }

  public static void destroyEnvironment(long environment) {
    LiteRtC.LiteRtDestroyEnvironment(environment);
  }

  /** Returns the hardware of every registered accelerator, as bits: 1 CPU, 2 GPU, 4 NPU. */
  public static int hardware(long environment) {
    long[] count = new long[1];
    Failure.check(LiteRtC.LiteRtGetNumAccelerators(environment, count), "Failed to get available accelerators");
    int all = 0;
    for (long i = 0; i < count[0]; i++) {
      long[] accelerator = new long[1];
      int[] bits = new int[1];
      Failure.check(LiteRtC.LiteRtGetAccelerator(environment, i, accelerator), "Failed to get an accelerator");
      Failure.check(LiteRtC.LiteRtGetAcceleratorHardwareSupport(accelerator[0], bits), "Failed to ask an accelerator");
      all |= bits[0];
    }
    return all;
  }

  public static Session fromFile(long environment, String path, int accelerators, Map<String, String> own) {
    long[] model = new long[1];
    Failure.check(LiteRtC.LiteRtCreateModelFromFile(environment, path, model), "Failed to load model from file");
    return new Session(environment, model[0], null, accelerators, own);
  }

  public static Session fromBytes(long environment, ByteBuffer bytes, int accelerators, Map<String, String> own) {
    long[] model = new long[1];
    Pointer start = Native.getDirectBufferPointer(bytes);
    int status =
        LiteRtC.LiteRtCreateModelFromBuffer(environment, Pointer.nativeValue(start), bytes.capacity(), model);
    Failure.check(status, "Failed to load model from buffer");
    return new Session(environment, model[0], bytes, accelerators, own);
  }

  /** own: the options of an accelerator by the name that it knows them by, as TOML. */
  private static long options(int accelerators, Map<String, String> own) {
    long[] options = new long[1];
    Failure.check(LiteRtC.LiteRtCreateOptions(options), "Failed to create options");
    Failure.check(LiteRtC.LiteRtSetOptionsHardwareAccelerators(options[0], accelerators), "Failed to set accelerators");
    for (Map.Entry<String, String> entry : own.entrySet()) {
      byte[] text = (entry.getValue() + "\0").getBytes(StandardCharsets.UTF_8);
      long payload = Native.malloc(text.length);
      new Pointer(payload).write(0, text, 0, text.length);
      long free = Pointer.nativeValue(NativeLibrary.getProcess().getFunction("free"));
      long[] opaque = new long[1];
      Failure.check(LiteRtC.LiteRtCreateOpaqueOptions(entry.getKey(), payload, free, opaque), "Failed to set options");
      Failure.check(LiteRtC.LiteRtAddOpaqueOptions(options[0], opaque[0]), "Failed to set options");
    }
    return options[0];
  }

  private static Signature[] readSignatures(long model) {
    long[] cell = new long[1];
    Failure.check(LiteRtC.LiteRtGetNumModelSignatures(model, cell), "Failed to count signatures");
    Signature[] all = new Signature[(int) cell[0]];
    for (int i = 0; i < all.length; i++) {
      Failure.check(LiteRtC.LiteRtGetModelSignature(model, i, cell), "Failed to get a signature");
      long signature = cell[0];
      Failure.check(LiteRtC.LiteRtGetSignatureKey(signature, cell), "Failed to get a signature's key");
      String key = text(cell[0]);
      all[i] = new Signature(key, inputs(signature), outputs(signature));
    }
    return all;
  }

  private static TensorInfo[] inputs(long signature) {
    long[] cell = new long[1];
    Failure.check(LiteRtC.LiteRtGetNumSignatureInputs(signature, cell), "Failed to count inputs");
    TensorInfo[] all = new TensorInfo[(int) cell[0]];
    for (int i = 0; i < all.length; i++) {
      Failure.check(LiteRtC.LiteRtGetSignatureInputName(signature, i, cell), "Failed to get an input's name");
      String name = text(cell[0]);
      Failure.check(LiteRtC.LiteRtGetSignatureInputTensorByIndex(signature, i, cell), "Failed to get an input");
      all[i] = TensorInfo.of(name, cell[0]);
    }
    return all;
  }

  private static TensorInfo[] outputs(long signature) {
    long[] cell = new long[1];
    Failure.check(LiteRtC.LiteRtGetNumSignatureOutputs(signature, cell), "Failed to count outputs");
    TensorInfo[] all = new TensorInfo[(int) cell[0]];
    for (int i = 0; i < all.length; i++) {
      Failure.check(LiteRtC.LiteRtGetSignatureOutputName(signature, i, cell), "Failed to get an output's name");
      String name = text(cell[0]);
      Failure.check(LiteRtC.LiteRtGetSignatureOutputTensorByIndex(signature, i, cell), "Failed to get an output");
      all[i] = TensorInfo.of(name, cell[0]);
    }
    return all;
  }

  static String text(long address) {
    return new Pointer(address).getString(0, "UTF-8");
  }

  /** Returns the sizes that an input has. */
  public int[] inputSizes(int signature, int index) {
    Memory layout = new Memory(LAYOUT_BYTES);
    int status =
        LiteRtC.LiteRtGetCompiledModelInputTensorLayout(compiled, signature, index, Pointer.nativeValue(layout));
    return status == 0 ? TensorInfo.sizes(layout, 0) : signatures[signature].inputs[index].declared;
  }

  /** Returns the sizes that an output has. */
  public int[] outputSizes(int signature, int index) {
    int count = signatures[signature].outputs.length;
    // Only where a size is open, as the published API does it: an update makes outputs that read variables dynamic.
    boolean update = isOpen(signatures[signature].outputs[index].declared);
    Memory layouts = new Memory((long) LAYOUT_BYTES * count);
    Failure.check(
        LiteRtC.LiteRtGetCompiledModelOutputTensorLayouts(
            compiled, signature, count, Pointer.nativeValue(layouts), (byte) (update ? 1 : 0)),
        "Failed to get output layouts");
    return TensorInfo.sizes(layouts, (long) LAYOUT_BYTES * index);
  }

  private static boolean isOpen(int[] sizes) {
    for (int size : sizes) {
      if (size < 0) {
        return true;
      }
    }
    return false;
  }

  public HostBuffer createInput(int signature, int index) {
    return create(signatures[signature].inputs[index], inputSizes(signature, index), inputRequirements(signature, index));
  }

  public HostBuffer createOutput(int signature, int index) {
    int[] sizes = outputSizes(signature, index);
    return create(signatures[signature].outputs[index], sizes, outputRequirements(signature, index));
  }

  private HostBuffer create(TensorInfo info, int[] sizes, long requirements) {
    Memory type = new Memory(4 + LAYOUT_BYTES);
    type.clear();
    type.setInt(0, info.elementType);
    type.setByte(4, (byte) sizes.length);
    type.write(8, sizes, 0, sizes.length);
    long[] buffer = new long[1];
    Failure.check(
        LiteRtC.LiteRtCreateManagedTensorBufferFromRequirements(
            environment, Pointer.nativeValue(type), requirements, buffer),
        "Failed to create a buffer for " + info.name);
    return new HostBuffer(buffer[0], info, sizes);
  }

  private long inputRequirements(int signature, int index) {
    long[] handle = new long[1];
    Failure.check(
        LiteRtC.LiteRtGetCompiledModelInputBufferRequirements(compiled, signature, index, handle),
        "Failed to get input buffer requirements");
    return handle[0];
  }

  private long outputRequirements(int signature, int index) {
    long[] handle = new long[1];
    Failure.check(
        LiteRtC.LiteRtGetCompiledModelOutputBufferRequirements(compiled, signature, index, handle),
        "Failed to get output buffer requirements");
    return handle[0];
  }

  /** Returns {size in bytes, type of buffer, ...} that an input or output needs. */
  public int[] requirements(int signature, int index, boolean input) {
    long handle = input ? inputRequirements(signature, index) : outputRequirements(signature, index);
    int[] count = new int[1];
    Failure.check(LiteRtC.LiteRtGetNumTensorBufferRequirementsSupportedBufferTypes(handle, count), "Failed to ask");
    long[] size = new long[1];
    Failure.check(LiteRtC.LiteRtGetTensorBufferRequirementsBufferSize(handle, size), "Failed to ask");
    int[] all = new int[1 + count[0]];
    all[0] = (int) size[0];
    int[] type = new int[1];
    for (int i = 0; i < count[0]; i++) {
      Failure.check(
          LiteRtC.LiteRtGetTensorBufferRequirementsSupportedTensorBufferType(handle, i, type), "Failed to ask");
      all[1 + i] = type[0];
    }
    return all;
  }

  /** Sets the buffer of one input for the next run; 0 stands for none. */
  public void setInput(int index, long handle) {
    inputHandles.setLong(8L * index, handle);
  }

  public void setOutput(int index, long handle) {
    outputHandles.setLong(8L * index, handle);
  }

  /** Runs a signature on the buffers that were set. Makes no object. */
  public void run(int signature, int inputs, int outputs) {
    int status =
        LiteRtC.LiteRtRunCompiledModel(compiled, signature, inputs, inputAddress, outputs, outputAddress);
    if (status != 0) {
      throw new Failure(status, "Failed to invoke the compiled model");
    }
  }

  public void destroy() {
    LiteRtC.LiteRtDestroyCompiledModel(compiled);
    LiteRtC.LiteRtDestroyModel(model);
    LiteRtC.LiteRtDestroyOptions(options);
  }
}
