"""The `tflite` package, which has the schema of .tflite files, without most of it: all of it takes long to import.

It has a module for each table and enumeration, of the same name. What is asked for is imported then.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_NAME = "tflite"


class _Package(ModuleType):
    """The package, whose own file, which imports every module, runs only for what is no table's name."""

    def __getattribute__(self, name: str) -> Any:
        """Return the table, and not its module, which an import puts there under the same name."""
        value = super().__getattribute__(name)
        return getattr(value, name) if isinstance(value, ModuleType) else value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return getattr(import_module(f"{_NAME}.{name}"), name)
        except ModuleNotFoundError:
            if self.__spec__ is None or self.__spec__.loader is None:
                raise AttributeError(name) from None
        self.__class__ = ModuleType  # type: ignore[assignment]
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


@functools.cache
def schema() -> Any:
    """Return the package: as it is where something has imported it already."""
    if _NAME in sys.modules:
        return sys.modules[_NAME]
    spec = importlib.util.find_spec(_NAME)
    if spec is None:
        raise ModuleNotFoundError(_NAME, name=_NAME)
    package = _Package(_NAME)
    package.__spec__, package.__path__ = spec, list(spec.submodule_search_locations or [])
    package.__file__, package.__loader__, package.__package__ = spec.origin, spec.loader, _NAME
    sys.modules[_NAME] = package
    return package
