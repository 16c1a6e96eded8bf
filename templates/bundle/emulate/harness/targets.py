"""Where a result may be written: over no INPUT, and over no file of the bundle."""

from collections.abc import Iterable
from pathlib import Path

from .bundle import Bundle
from .errors import EmulateError


def check_target(option: str, path: Path, bundle: Bundle, inputs: Iterable[Path] = ()) -> None:
    """Raise EmulateError where path is a file of the bundle's folders, or one of inputs."""
    target = path.resolve()
    for folder in (bundle.assets, bundle.emulate):
        if folder.resolve() in target.parents:
            raise EmulateError(f"--{option} {path}: that is in the bundle", "name a file in another place")
    if any(target == given.resolve() for given in inputs):
        raise EmulateError(f"--{option} {path}: that is an INPUT", "name another file")
