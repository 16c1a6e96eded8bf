"""Which Android API a runtime offers and where Gradle finds it. Knows names of runtimes, nothing of models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from kit.errors import RecipeError

Api = Literal["compiled-model", "interpreter"]
APIS: tuple[Api, ...] = ("compiled-model", "interpreter")
COMPILED_MODEL, INTERPRETER = APIS

# What the suspending functions need: the version that they are compiled against here.
COROUTINES = "org.jetbrains.kotlinx:kotlinx-coroutines-core:1.8.0"

_GROUPS = {"litert": "com.google.ai.edge.litert:litert", "tflite": "org.tensorflow:tensorflow-lite"}
_HINT = "name one as litert:2.3.0, litert:1.4.0 or tflite:2.14.0: `kit toolchains` lists them"


def api_of(runtime: str) -> Api:
    """Return the API of a runtime: "litert:2.3.0" -> compiled-model; litert:1.x and tflite:* -> interpreter.

    CompiledModel came with LiteRT 2; before it org.tensorflow.lite.Interpreter is all there is.
    Raises RecipeError for what is no runtime's name.
    """
    kind, version = _split(runtime)
    return "compiled-model" if kind == "litert" and int(version.split(".")[0]) >= 2 else "interpreter"


def api_for(runtime: str, signature: Mapping[str, Any]) -> Api:
    """Return the API of a bundle's own glue: its runtime's, or Interpreter where CompiledModel cannot hold a tensor.

    signature is signature.json. LiteRT 2.3's CompiledModel has buffers of one size and no int16 in Kotlin; the same
    library brings Interpreter, too. Raises RecipeError as api_of.
    """
    entries = [signature, *(signature.get("others") or []), *([signature["train"]] if signature.get("train") else [])]
    tensors = [tensor for entry in entries for kind in ("inputs", "outputs") for tensor in entry[kind]]
    loose = any(-1 in tensor["shape"] or tensor["dtype"] == "int16" for tensor in tensors)
    return INTERPRETER if loose else api_of(runtime)


def coordinate_of(runtime: str) -> str:
    """Return Gradle's coordinate, as "com.google.ai.edge.litert:litert:2.3.0". Raises RecipeError as api_of."""
    kind, version = _split(runtime)
    return f"{_GROUPS[kind]}:{version}"


def check_api(name: str) -> Api:
    """Return an API by its name. Raises RecipeError where there is none of it."""
    for api in APIS:
        if api == name:
            return api
    raise RecipeError(f"--api {name!r} is no API of LiteRT", f"give one of {', '.join(APIS)}")


def _split(runtime: str) -> tuple[str, str]:
    kind, _, version = runtime.partition(":")
    if kind not in _GROUPS or not version.split(".")[0].isascii() or not version.split(".")[0].isdecimal():
        raise RecipeError(f"[android] runtime = {runtime!r} is no runtime", _HINT)
    return kind, version
