import android.graphics.Bitmap;
import com.example.digits.Digits;
import com.example.digits.dropkit.SelfTest;
import com.example.digits.dropkit.Top;
import com.google.ai.edge.litert.Accelerator;
import dropkit.desktop.DesktopContext;
import java.util.List;

/** An app in Java: what it calls, and what it prints of it. */
public final class Caller {
  public static void main(String[] args) {
    Bitmap bitmap = Bitmap.createBitmap(new int[64], 8, 8, Bitmap.Config.ARGB_8888);
    try (Digits digits = Digits.create(new DesktopContext("dropkit.assets"), List.of(Accelerator.CPU))) {
      Digits.Outputs seen = digits.classify(bitmap);
      Digits.Outputs turned = digits.classify(bitmap, 90);
      Top<Digits.DigitLabel> best = seen.digitTop(3);
      System.out.println(best.size() + " " + best.get(0).getLabel().getText() + " " + (best.get(0).getScore() <= 1f));
      System.out.println((seen != turned) + " " + (digits.classify(bitmap, 0, false, null, seen) == seen));
      System.out.println(seen.getDigit().length + " " + Digits.OUTPUT_DIGIT + " " + digits.getAccelerator());
      SelfTest test = digits.selfTest();
      System.out.println(test.getPassed());
    }
  }
}
