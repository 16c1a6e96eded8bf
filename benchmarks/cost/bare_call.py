"""Bare calls of a model file: a line on stdin is one call, and its seconds are a line on stdout.

Usage: bare_call.py MODEL. A script of the runtime's venv.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
for tensor in interpreter.get_input_details():
    interpreter.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
interpreter.invoke()
print("ready", flush=True)
for _ in sys.stdin:
    begin = time.perf_counter()
    interpreter.invoke()
    print(time.perf_counter() - begin, flush=True)
