package org.tensorflow.lite;

/** Holds the options' super class, which the published Interpreter has, too. */
abstract class InterpreterImpl implements InterpreterApi {
  static class Options extends InterpreterApi.Options {
    public Options() {}

    public Options(InterpreterApi.Options options) {
      super(options);
    }
  }
}
