package android.widget;

import android.content.Context;
import android.text.Editable;

/** Android's, to compile against. */
public class EditText extends TextView {
  public EditText(Context context) {
    super(context);
  }

  @Override
  public Editable getText() {
    return null;
  }
}
