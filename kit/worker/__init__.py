"""The worker: one conversion job, run as its own process inside a pinned toolchain.

It sees the standard library, numpy, TensorFlow, Keras and kit.shared.preprocess, and nothing else of kit.
"""
