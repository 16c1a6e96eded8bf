package android.app;

import android.annotation.Nullable;
import android.content.Context;
import android.content.Intent;
import android.os.Bundle;
import android.view.View;

/** Android's, to compile against: nothing here runs. */
public class Activity extends Context {
  public static final int RESULT_OK = -1;

  public Activity() {}

  protected void onCreate(@Nullable Bundle savedInstanceState) {}

  protected void onSaveInstanceState(Bundle outState) {}

  protected void onDestroy() {}

  protected void onActivityResult(int requestCode, int resultCode, @Nullable Intent data) {}

  @Deprecated
  public void startActivityForResult(Intent intent, int requestCode) {}

  public final void requestPermissions(String[] permissions, int requestCode) {}

  public void setContentView(View view) {}

  public final void runOnUiThread(Runnable action) {}
}
