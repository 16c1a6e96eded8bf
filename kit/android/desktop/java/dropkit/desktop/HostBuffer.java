package dropkit.desktop;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;

/** One tensor buffer of the C library in host memory, seen as NIO buffers that are made once. */
public final class HostBuffer {
  public static final int READ = 0;
  public static final int WRITE = 1;

  public final long handle;
  public final TensorInfo info;
  public final int elements;
  public final long byteSize;

  public ByteBuffer bytes;
  public IntBuffer ints;
  public FloatBuffer floats;
  public LongBuffer longs;

  private final Memory cell = new Memory(8);
  private final long cellAddress = Pointer.nativeValue(cell);
  private long address;

  HostBuffer(long handle, TensorInfo info, int[] sizes) {
    this.handle = handle;
    this.info = info;
    int count = 1;
    for (int size : sizes) {
      count *= size;
    }
    this.elements = count;
    long[] size = new long[1];
    Failure.check(LiteRtC.LiteRtGetTensorBufferPackedSize(handle, size), "Failed to get the buffer's size");
    this.byteSize = size[0];
  }

  /** Locks the buffer; the views are made anew only where its memory has moved. */
  public void lock(int mode) {
    Failure.check(LiteRtC.LiteRtLockTensorBuffer(handle, cellAddress, mode), "Failed to lock the tensor buffer");
    long now = cell.getLong(0);
    if (bytes == null || now != address) {
      address = now;
      bytes = new Pointer(now).getByteBuffer(0, byteSize).order(ByteOrder.nativeOrder());
      ints = bytes.asIntBuffer();
      floats = bytes.asFloatBuffer();
      longs = bytes.asLongBuffer();
    }
  }

  public void unlock() {
    Failure.check(LiteRtC.LiteRtUnlockTensorBuffer(handle), "Failed to unlock the tensor buffer");
  }

  public void destroy() {
    LiteRtC.LiteRtDestroyTensorBuffer(handle);
    bytes = null;
  }
}
