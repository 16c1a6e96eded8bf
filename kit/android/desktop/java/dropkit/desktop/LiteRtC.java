package dropkit.desktop;

import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;

/** The C functions of libLiteRt that the shims call. Every handle, pointer and size is a long; a result is a LiteRtStatus. */
public final class LiteRtC {
  static {
    // Direct mapping with primitive arguments alone: a call makes no object.
    Native.register(LiteRtC.class, NativeLibrary.getInstance(System.getProperty("dropkit.litert", "LiteRt")));
  }

  private LiteRtC() {}

  static native int LiteRtCreateEnvironment(int count, long options, long[] environment);

  static native void LiteRtDestroyEnvironment(long environment);

  static native int LiteRtGetNumAccelerators(long environment, long[] count);

  static native int LiteRtGetAccelerator(long environment, long index, long[] accelerator);

  static native int LiteRtGetAcceleratorHardwareSupport(long accelerator, int[] hardware);

  static native int LiteRtCreateOptions(long[] options);

  static native int LiteRtSetOptionsHardwareAccelerators(long options, int set);

  static native int LiteRtCreateOpaqueOptions(String identifier, long payload, long deleter, long[] opaque);

  static native int LiteRtAddOpaqueOptions(long options, long opaque);

  static native void LiteRtDestroyOptions(long options);

  static native int LiteRtCreateModelFromFile(long environment, String path, long[] model);

  static native int LiteRtCreateModelFromBuffer(long environment, long address, long size, long[] model);

  static native void LiteRtDestroyModel(long model);

  static native int LiteRtGetNumModelSignatures(long model, long[] count);

  static native int LiteRtGetModelSignature(long model, long index, long[] signature);

  static native int LiteRtGetSignatureKey(long signature, long[] text);

  static native int LiteRtGetNumSignatureInputs(long signature, long[] count);

  static native int LiteRtGetSignatureInputName(long signature, long index, long[] text);

  static native int LiteRtGetSignatureInputTensorByIndex(long signature, long index, long[] tensor);

  static native int LiteRtGetNumSignatureOutputs(long signature, long[] count);

  static native int LiteRtGetSignatureOutputName(long signature, long index, long[] text);

  static native int LiteRtGetSignatureOutputTensorByIndex(long signature, long index, long[] tensor);

  static native int LiteRtGetRankedTensorType(long tensor, long type);

  static native int LiteRtGetTensorName(long tensor, long[] text);

  static native int LiteRtGetTensorIndex(long tensor, int[] index);

  static native int LiteRtGetQuantizationTypeId(long tensor, int[] kind);

  static native int LiteRtGetPerTensorQuantization(long tensor, long quantization);

  static native int LiteRtCreateCompiledModel(long environment, long model, long options, long[] compiled);

  static native void LiteRtDestroyCompiledModel(long compiled);

  static native int LiteRtGetCompiledModelInputTensorLayout(long compiled, long signature, long index, long layout);

  static native int LiteRtGetCompiledModelOutputTensorLayouts(
      long compiled, long signature, long count, long layouts, byte update);

  static native int LiteRtGetCompiledModelInputBufferRequirements(
      long compiled, long signature, long index, long[] requirements);

  static native int LiteRtGetCompiledModelOutputBufferRequirements(
      long compiled, long signature, long index, long[] requirements);

  static native int LiteRtGetNumTensorBufferRequirementsSupportedBufferTypes(long requirements, int[] count);

  static native int LiteRtGetTensorBufferRequirementsSupportedTensorBufferType(
      long requirements, int index, int[] type);

  static native int LiteRtGetTensorBufferRequirementsBufferSize(long requirements, long[] size);

  static native int LiteRtCreateManagedTensorBufferFromRequirements(
      long environment, long type, long requirements, long[] buffer);

  static native void LiteRtDestroyTensorBuffer(long buffer);

  static native int LiteRtGetTensorBufferPackedSize(long buffer, long[] size);

  static native int LiteRtLockTensorBuffer(long buffer, long address, int mode);

  static native int LiteRtUnlockTensorBuffer(long buffer);

  static native int LiteRtRunCompiledModel(
      long compiled, long signature, long inputCount, long inputs, long outputCount, long outputs);
}
