package org.tensorflow.lite;

import dropkit.desktop.TensorInfo;
import java.lang.reflect.Array;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.Arrays;

/** A tensor in the JVM's memory, with the published one's rules for what may be copied into and out of it. */
final class HostTensor implements Tensor {
  private final TensorInfo info;
  private final DataType type;
  private int[] shape;
  private ByteBuffer bytes;
  private boolean used;

  HostTensor(TensorInfo info, int[] shape) {
    this.info = info;
    this.type = DataType.of(info.elementType);
    resize(shape);
  }

  void resize(int[] to) {
    shape = to;
    hold(numElements() * (type == DataType.BOOL ? 1 : type.byteSize()));
  }

  private void hold(int size) {
    if (bytes == null || bytes.capacity() != size) {
      bytes = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder());
    }
  }

  /** Returns a copy of the tensor's bytes. */
  byte[] content() {
    byte[] content = new byte[bytes.capacity()];
    bytes.get(0, content);
    return content;
  }

  /** Takes what a run gave. The shape that a user of the tensor knows stays as it was where `looks` is false. */
  void fill(byte[] content, int[] now, boolean looks) {
    hold(content.length);
    bytes.put(0, content);
    if (looks || !used) {
      shape = now;
    }
  }

  /** Notes that a user has the tensor: from then on it keeps the shape that it was seen with. */
  HostTensor used() {
    used = true;
    return this;
  }

  @Override
  public DataType dataType() {
    return type;
  }

  @Override
  public int numDimensions() {
    return shape.length;
  }

  @Override
  public int numBytes() {
    return bytes.capacity();
  }

  @Override
  public int numElements() {
    return Arrays.stream(shape).reduce(1, (all, size) -> all * size);
  }

  @Override
  public int[] shape() {
    return shape;
  }

  @Override
  public int[] shapeSignature() {
    return info.declared;
  }

  @Override
  public int index() {
    return info.tensorIndex;
  }

  @Override
  public String name() {
    return info.tensorName;
  }

  @Override
  public QuantizationParams quantizationParams() {
    return new QuantizationParams(info.scale, info.zeroPoint);
  }

  @Override
  public ByteBuffer asReadOnlyBuffer() {
    return bytes.clear().asReadOnlyBuffer().order(ByteOrder.nativeOrder());
  }

  /** Returns the shape of an array that is not the tensor's; null for a buffer and for the same shape. */
  int[] shapeIfDifferent(Object value) {
    if (value instanceof Buffer) {
      return null;
    }
    checkType(value);
    int[] other = shapeOf(value);
    return Arrays.equals(other, shape) ? null : other;
  }

  void setTo(Object source) {
    checkType(source);
    if (source instanceof Buffer && capacity((Buffer) source) != numBytes()) {
      throw new IllegalArgumentException(
          String.format(
              "Cannot copy to a TensorFlowLite tensor (%s) with %d bytes from a Java Buffer with %d bytes.",
              name(), numBytes(), capacity((Buffer) source)));
    }
    if (source instanceof Buffer) {
      put((Buffer) source);
    } else {
      bytes.clear();
      move(source, true);
    }
  }

  private void put(Buffer source) {
    // A direct one is taken from its start, any other from its position: so does the published one.
    int from = source.isDirect() ? 0 : source.position();
    int count = source.isDirect() ? source.capacity() : source.remaining();
    if (source instanceof ByteBuffer) {
      bytes.put(0, (ByteBuffer) unlimited(source), from, count);
    } else if (source instanceof FloatBuffer) {
      bytes.asFloatBuffer().put(0, (FloatBuffer) unlimited(source), from, count);
    } else if (source instanceof IntBuffer) {
      bytes.asIntBuffer().put(0, (IntBuffer) unlimited(source), from, count);
    } else if (source instanceof LongBuffer) {
      bytes.asLongBuffer().put(0, (LongBuffer) unlimited(source), from, count);
    } else {
      throw new IllegalArgumentException("Unexpected input buffer type: " + source);
    }
    if (!source.isDirect()) {
      source.position(source.limit());
    }
  }

  private static Buffer unlimited(Buffer source) {
    boolean whole = !source.isDirect() || source.limit() == source.capacity();
    return whole ? source : source.duplicate().clear();
  }

  void copyTo(Object target) {
    checkType(target);
    if (target instanceof Buffer && capacity((Buffer) target) < numBytes()) {
      throw new IllegalArgumentException(
          String.format(
              "Cannot copy from a TensorFlowLite tensor (%s) with %d bytes to a Java Buffer with %d bytes.",
              name(), numBytes(), capacity((Buffer) target)));
    }
    if (target instanceof ByteBuffer) {
      ((ByteBuffer) target).put(bytes.clear());
    } else if (target instanceof FloatBuffer) {
      ((FloatBuffer) target).put(bytes.clear().asFloatBuffer());
    } else if (target instanceof IntBuffer) {
      ((IntBuffer) target).put(bytes.clear().asIntBuffer());
    } else if (target instanceof LongBuffer) {
      ((LongBuffer) target).put(bytes.clear().asLongBuffer());
    } else if (target instanceof Buffer) {
      throw new IllegalArgumentException("Unexpected output buffer type: " + target);
    } else {
      checkShape(target);
      bytes.clear();
      move(target, false);
    }
  }

  private int capacity(Buffer buffer) {
    return buffer instanceof ByteBuffer ? buffer.capacity() : buffer.capacity() * type.byteSize();
  }

  private void checkType(Object value) {
    if (value instanceof ByteBuffer) {
      return;
    }
    DataType other = typeOf(value);
    boolean bytes = other == DataType.UINT8 && type == DataType.INT8;
    if (other != type && !bytes) {
      throw new IllegalArgumentException(
          String.format(
              "Cannot convert between a TensorFlowLite tensor with type %s and a Java object of type %s "
                  + "(which is compatible with the TensorFlowLite type %s).",
              type, value.getClass().getName(), other));
    }
  }

  private void checkShape(Object array) {
    if (!Arrays.equals(shapeOf(array), shape)) {
      throw new IllegalArgumentException(
          String.format(
              "Cannot copy from a TensorFlowLite tensor (%s) with shape %s to a Java object with shape %s.",
              name(), Arrays.toString(shape), Arrays.toString(shapeOf(array))));
    }
  }

  private static DataType typeOf(Object value) {
    Class<?> kind = value.getClass();
    while (kind.isArray()) {
      kind = kind.getComponentType();
    }
    if (kind == float.class || value instanceof FloatBuffer || value instanceof Float) {
      return DataType.FLOAT32;
    } else if (kind == int.class || value instanceof IntBuffer || value instanceof Integer) {
      return DataType.INT32;
    } else if (kind == byte.class || value instanceof Byte) {
      return DataType.UINT8;
    } else if (kind == long.class || value instanceof LongBuffer || value instanceof Long) {
      return DataType.INT64;
    } else if (kind == boolean.class || value instanceof Boolean) {
      return DataType.BOOL;
    } else if (kind == short.class) {
      return DataType.INT16;
    }
    throw new IllegalArgumentException("DataType error: cannot resolve DataType of " + value.getClass().getName());
  }

  private static int[] shapeOf(Object value) {
    int rank = 0;
    for (Class<?> kind = value.getClass(); kind.isArray(); kind = kind.getComponentType()) {
      rank++;
    }
    int[] shape = new int[rank];
    Object inner = value;
    for (int i = 0; i < rank; i++) {
      shape[i] = Array.getLength(inner);
      if (shape[i] == 0) {
        throw new IllegalArgumentException("Array lengths cannot be 0.");
      }
      inner = Array.get(inner, 0);
    }
    return shape;
  }

  /** Copies between nested arrays and the buffer from its position on. */
  private void move(Object value, boolean in) {
    if (value instanceof Object[]) {
      for (Object each : (Object[]) value) {
        move(each, in);
      }
    } else if (value instanceof float[]) {
      for (int i = 0; i < ((float[]) value).length; i++) {
        if (in) bytes.putFloat(((float[]) value)[i]);
        else ((float[]) value)[i] = bytes.getFloat();
      }
    } else if (value instanceof int[]) {
      for (int i = 0; i < ((int[]) value).length; i++) {
        if (in) bytes.putInt(((int[]) value)[i]);
        else ((int[]) value)[i] = bytes.getInt();
      }
    } else if (value instanceof long[]) {
      for (int i = 0; i < ((long[]) value).length; i++) {
        if (in) bytes.putLong(((long[]) value)[i]);
        else ((long[]) value)[i] = bytes.getLong();
      }
    } else if (value instanceof byte[]) {
      if (in) bytes.put((byte[]) value);
      else bytes.get((byte[]) value);
    } else if (value instanceof boolean[]) {
      for (int i = 0; i < ((boolean[]) value).length; i++) {
        if (in) bytes.put((byte) (((boolean[]) value)[i] ? 1 : 0));
        else ((boolean[]) value)[i] = bytes.get() != 0;
      }
    } else {
      throw new IllegalArgumentException("Unexpected value: " + value.getClass().getName());
    }
  }
}
