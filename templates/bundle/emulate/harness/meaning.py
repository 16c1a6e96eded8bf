"""What it may mean that golden vectors are off: which file is at fault, by what else holds."""

from collections.abc import Iterator

from .checks import Replay
from .report import Interpreter

_APP = {"litert": "ai-edge-litert", "tflite": "tflite-runtime"}  # packages by a runtime's name


def meaning(replay: Replay, runtime: Interpreter) -> Iterator[str]:
    """Yield a sentence for each thing that may be wrong; nothing where all vectors pass."""
    checks = (replay.main, *(check for _, check in replay.others))
    if any(not check.passed for one in checks for _, check in (*one.outputs, *one.edge_outputs)):
        if _is_app_s(runtime):
            yield (
                "the bundle was built with this runtime: model.tflite is not the file that these vectors are of "
                "(a weight or a scale is another one), or golden.npz is of another build"
            )
        else:
            yield (
                f"the app links {runtime.app}, with its default kernels: where the vectors pass there, the file is "
                "as built, and this runtime computes otherwise"
            )
    if any(not check.passed for one in checks for _, check in (*one.pixels, *one.texts, *one.sounds)):
        yield (
            "signature.json prepares inputs otherwise than the build did (mean, std, color, size, text or sound): "
            "files and an app's inputs are fed wrong"
        )


def _is_app_s(runtime: Interpreter) -> bool:
    """Say whether it is what the app links, as the app runs it."""
    name, _, version = runtime.app.partition(":")
    return (_APP.get(name), version, runtime.kernels) == (runtime.name, runtime.version, "default")
