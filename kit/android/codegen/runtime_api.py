"""Which Android API a runtime offers and where Gradle finds it. Knows names of runtimes, nothing of models."""

from __future__ import annotations

from typing import Literal

from kit.bundle.signature import BundleSignature
from kit.errors import RecipeError

Api = Literal["compiled-model", "interpreter", "play-services"]
APIS: tuple[Api, ...] = ("compiled-model", "interpreter", "play-services")
COMPILED_MODEL, INTERPRETER, PLAY_SERVICES = APIS

# What the suspending functions need: the version that they are compiled against here.
COROUTINES = "org.jetbrains.kotlinx:kotlinx-coroutines-core:1.8.0"

_GROUPS = {
    "litert": "com.google.ai.edge.litert:litert",
    "tflite": "org.tensorflow:tensorflow-lite",
    "play": "com.google.android.gms:play-services-tflite-java",
}
_HINT = "name one as litert:2.3.0, litert:1.4.0, tflite:2.14.0 or play:16.5.0: `kit toolchains` lists them"
# The first client of Play services that brings LiteRT's interfaces: before it InterpreterApi runs by index alone.
_SIGNATURES_IN_PLAY = (16, 5)


def api_of(runtime: str) -> Api:
    """Return the API of a runtime: "litert:2.3.0" -> compiled-model; litert:1.x, tflite:* -> interpreter; play:*.

    CompiledModel came with LiteRT 2; before it org.tensorflow.lite.Interpreter is all there is. Google Play services
    have its interface InterpreterApi alone. Raises RecipeError for what is no runtime's name.
    """
    kind, version = _split(runtime)
    if kind == "play":
        return PLAY_SERVICES
    return COMPILED_MODEL if kind == "litert" and version[0] >= 2 else INTERPRETER


def api_for(runtime: str, signature: BundleSignature) -> Api:
    """Return the API of a bundle's own Kotlin: its runtime's, or Interpreter where CompiledModel cannot hold a tensor.

    LiteRT 2.3's CompiledModel has buffers of one size, no int16 in Kotlin, and no operators that keep state; the same
    library brings Interpreter, too. Raises RecipeError as api_of, and where Play services lack what the model needs.
    """
    api = api_of(runtime)
    if api == PLAY_SERVICES and signature.flex:
        raise RecipeError(
            f"{runtime} has no TensorFlow operators, and the model needs {', '.join(signature.flex)}",
            '[android] runtime = "tflite:2.14.0" can link them; or build the model without them',
        )
    if api == PLAY_SERVICES and signature.resets:
        raise RecipeError(
            f"{runtime} has no way to reset an operator's state, and [quantize] fused_lstm needs one",
            'leave fused_lstm out; or [android] runtime = "litert:2.3.0", whose Interpreter has it',
        )
    if api != COMPILED_MODEL:
        return api
    tensors = [tensor for entry in signature.all_signatures() for tensor in (*entry.inputs, *entry.outputs)]
    loose = any(-1 in tensor.shape or tensor.dtype == "int16" for tensor in tensors)
    return INTERPRETER if loose or signature.resets else api


def runtime_for(api: Api, own: str, own_api: Api) -> str:
    """Return the runtime that Kotlin for an API links, where the bundle was built for runtime `own`."""
    # Interpreter is in every library that has CompiledModel, and not the other way round.
    if api == own_api or (api == INTERPRETER and own_api == COMPILED_MODEL):
        return own
    return "play:16.5.0" if api == PLAY_SERVICES else "litert:2.3.0"


def coordinate_of(runtime: str) -> str:
    """Return Gradle's coordinate, as "com.google.ai.edge.litert:litert:2.3.0". Raises RecipeError as api_of."""
    kind, _version = _split(runtime)
    return f"{_GROUPS[kind]}:{runtime.partition(':')[2]}"


def check_api(name: str) -> Api:
    """Return an API by its name. Raises RecipeError where there is none of it."""
    for api in APIS:
        if api == name:
            return api
    raise RecipeError(f"--api {name!r} is no API of LiteRT", f"give one of {', '.join(APIS)}")


def _split(runtime: str) -> tuple[str, tuple[int, ...]]:
    kind, _, version = runtime.partition(":")
    numbers = version.split(".")
    if kind not in _GROUPS or not all(number.isascii() and number.isdecimal() for number in numbers[:2]):
        raise RecipeError(f"[android] runtime = {runtime!r} is no runtime", _HINT)
    found = tuple(int(number) for number in numbers[:2])
    if kind == "play" and found < _SIGNATURES_IN_PLAY:
        raise RecipeError(
            f"{runtime} cannot run a model by its names",
            'take a newer one: [android] runtime = "play:16.5.0" is the first that can',
        )
    return kind, found
