package dropkit.desktop;

/** A C function gave another status than 0. Each API turns it into the exception that it is known for. */
public final class Failure extends RuntimeException {
  public final int status;

  Failure(int status, String message) {
    super(message);
    this.status = status;
  }

  static void check(int status, String message) {
    if (status != 0) {
      throw new Failure(status, message);
    }
  }
}
