"""Which layer is being called: said as it begins, so that one that ends the process or never ends is known by name.

Also which layer an exception comes from: the calls stand in its traceback.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

_OWN = {"Functional", "Sequential"}  # a model of layers, which have names of their own


def watch_calls(kerases: Iterable[Any], begin: Callable[[str], None]) -> None:
    """Let every layer of these Keras packages say its name to `begin` as it is called, for the rest of the process."""
    for layers in {id(keras): keras.layers.Layer for keras in kerases}.values():
        layers.__call__ = _watched(layers.__call__, begin)


def failed_in(error: BaseException) -> str:
    """Return the innermost layer in whose call an exception was raised: "layer 'scale' (Scale)"; "" for none."""
    found, at, seen = "", error, set[int]()
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        trace = at.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_name == _MARK and "layer" in trace.tb_frame.f_locals:
                found = name_of(trace.tb_frame.f_locals["layer"]) or found
            trace = trace.tb_next
        at = at.__cause__ or at.__context__  # type: ignore[assignment]
    return found


def name_of(layer: Any) -> str:
    """Return what a message calls a layer, "" for a model that is nothing but its layers."""
    kind = type(layer).__name__
    return "" if kind in _OWN else f"layer '{getattr(layer, 'name', kind)}' ({kind})"


_MARK = "dropkit_called"


def _watched(original: Any, begin: Callable[[str], None]) -> Any:
    @functools.wraps(original)  # autograph goes by the module that it says: Keras's, which is not rewritten
    def dropkit_called(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if name := name_of(layer):
            begin(name)
        return original(layer, *args, **kwargs)

    return dropkit_called
