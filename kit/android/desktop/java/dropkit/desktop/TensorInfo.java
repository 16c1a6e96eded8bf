package dropkit.desktop;

import com.sun.jna.Memory;

/** What the C library says of one input or output: its name, element type (as in the C header), sizes and affine. */
public final class TensorInfo {
  public static final int FLOAT32 = 1;
  public static final int INT32 = 2;
  public static final int UINT8 = 3;
  public static final int INT64 = 4;
  public static final int BOOL = 6;
  public static final int INT16 = 7;
  public static final int INT8 = 9;

  public final String name;
  public final String tensorName;
  public final int tensorIndex;
  public final int elementType;
  public final int[] declared;
  public final float scale;
  public final int zeroPoint;

  TensorInfo(
      String name, String tensorName, int tensorIndex, int elementType, int[] declared, float scale, int zeroPoint) {
    this.name = name;
    this.tensorName = tensorName;
    this.tensorIndex = tensorIndex;
    this.elementType = elementType;
    this.declared = declared;
    this.scale = scale;
    this.zeroPoint = zeroPoint;
  }

  static TensorInfo of(String name, long tensor) {
    Memory type = new Memory(72);
    type.clear();
    Failure.check(LiteRtC.LiteRtGetRankedTensorType(tensor, address(type)), "Failed to get the type of " + name);
    int[] kind = new int[1];
    LiteRtC.LiteRtGetQuantizationTypeId(tensor, kind);
    Memory affine = new Memory(16);
    affine.clear();
    if (kind[0] == 1) {
      LiteRtC.LiteRtGetPerTensorQuantization(tensor, address(affine));
    }
    long[] text = new long[1];
    Failure.check(LiteRtC.LiteRtGetTensorName(tensor, text), "Failed to get the name of " + name);
    int[] index = new int[1];
    LiteRtC.LiteRtGetTensorIndex(tensor, index);
    return new TensorInfo(
        name, Session.text(text[0]), index[0], type.getInt(0), sizes(type, 4), affine.getFloat(0), (int) affine.getLong(8));
  }

  /** Reads a LiteRtLayout: 7 bits of rank and one of strides, then 8 sizes, then 8 strides. */
  static int[] sizes(Memory memory, long offset) {
    int[] sizes = new int[memory.getByte(offset) & 0x7f];
    memory.read(offset + 4, sizes, 0, sizes.length);
    return sizes;
  }

  static long address(Memory memory) {
    return com.sun.jna.Pointer.nativeValue(memory);
  }
}
