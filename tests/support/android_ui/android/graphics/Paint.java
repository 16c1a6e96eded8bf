package android.graphics;

/** Android's: what a Canvas draws with. */
public class Paint {
  /** Whether the inside or the line around it is drawn. */
  public enum Style {
    FILL,
    STROKE,
    FILL_AND_STROKE,
  }

  private Style style = Style.FILL;
  private int color = 0xFF000000;
  private float strokeWidth;
  private float textSize = 12;

  public Paint() {}

  public int getColor() {
    return color;
  }

  public void setColor(int color) {
    this.color = color;
  }

  public Style getStyle() {
    return style;
  }

  public void setStyle(Style style) {
    this.style = style;
  }

  public float getStrokeWidth() {
    return strokeWidth;
  }

  public void setStrokeWidth(float width) {
    strokeWidth = width;
  }

  public float getTextSize() {
    return textSize;
  }

  public void setTextSize(float textSize) {
    this.textSize = textSize;
  }

  /** Every letter is half as wide as it is high. */
  public float measureText(String text) {
    return text.length() * textSize / 2;
  }
}
