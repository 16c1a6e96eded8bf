package android.text;

/** Android's, to compile against. */
public interface Editable extends CharSequence {}
