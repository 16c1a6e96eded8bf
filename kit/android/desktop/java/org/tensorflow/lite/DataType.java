package org.tensorflow.lite;

/** The element types that the Interpreter API knows. */
public enum DataType {
  FLOAT32(1),
  INT32(2),
  UINT8(3),
  INT64(4),
  STRING(5),
  BOOL(6),
  INT16(7),
  INT8(9);

  private final int value;

  DataType(int value) {
    this.value = value;
  }

  /** Returns the bytes of one element, -1 where the API says none: of BOOL and STRING. */
  public int byteSize() {
    switch (this) {
      case FLOAT32:
      case INT32:
        return 4;
      case INT16:
        return 2;
      case INT8:
      case UINT8:
        return 1;
      case INT64:
        return 8;
      default:
        return -1;
    }
  }

  static DataType of(int value) {
    for (DataType each : values()) {
      if (each.value == value) {
        return each;
      }
    }
    throw new IllegalArgumentException("DataType error: DataType " + value + " is not recognized in Java.");
  }
}
