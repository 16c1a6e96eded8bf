"""The digests that a toolchain's image must have, as data beside its lock. Knows the file, builds nothing.

image.toml has a table for each architecture and base, such as [amd64.debian]. Its digests follow from the locks
that it names: a lock that changed without the image being pinned again is refused.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from kit.errors import EngineError, KitError
from kit.files import writable, write_whole

NAME = "image.toml"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TEXT = re.compile(r"[A-Za-z0-9._/-]+")
_LAYERS = ("base", "wheels", "byte-code")


@dataclass(frozen=True)
class Origin:
    """What an image is made from: its digests hold for this alone."""

    lock: str  # SHA-256 of the toolchain's lock
    base_lock: str  # of the base's packages, as its Source identifies them
    layout: str  # how the layers are made


@dataclass(frozen=True)
class ImagePin:
    """The one image that an Origin gives."""

    id: str  # "sha256:...", as in kit.container.image.Image
    base: str  # the digest of each layer's tar
    wheels: str
    bytecode: str
    python: str  # its Python, as a path in the image

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """Return the layers' digests, lowest first."""
        return (self.base, self.wheels, self.bytecode)


def read_pin(folder: Path, architecture: str, base: str) -> tuple[Origin, ImagePin] | None:
    """Return what folder's image.toml pins for "amd64" or "arm64" on a base such as "debian"; None where nothing.

    Raises EngineError for a file that cannot be read and for an entry without a digest.
    """
    path = folder / NAME
    try:
        table = tomllib.loads(path.read_text("utf-8")).get(architecture, {}).get(base)
        if table is None:
            return None
        origin = Origin(**{each.name: str(table.pop(each.name)) for each in fields(Origin)})
        pin = ImagePin(**table)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise _broken(path, f"[{architecture}.{base}] is not complete: {error}") from error
    for name, value in asdict(pin).items():
        if not (_TEXT if name == "python" else _DIGEST).fullmatch(str(value)):
            raise _broken(path, f"[{architecture}.{base}] {name} is not a sha256 digest: {value!r}")
    return origin, pin


def write_pin(folder: Path, architecture: str, base: str, origin: Origin, pin: ImagePin) -> Path:
    """Put a pin into folder's image.toml, the others in it kept; return the file."""
    path = folder / NAME
    known: dict[str, dict[str, dict[str, str]]] = {}
    if path.exists():
        known = tomllib.loads(path.read_text("utf-8"))
    known.setdefault(architecture, {})[base] = asdict(origin) | asdict(pin)
    lines = ["# The digests that this toolchain's image has wherever it is built. Written by `inv image V --pin`."]
    for machine, bases in sorted(known.items()):
        for name, table in sorted(bases.items()):
            lines += ["", f"[{machine}.{name}]", *(f'{key} = "{value}"' for key, value in table.items())]
    with writable(folder):
        write_whole(path, ("\n".join(lines) + "\n").encode())
    return path


def check_origin(where: Path, pinned: Origin, now: Origin) -> None:
    """Raise EngineError where a pin was made from something else than what is there now."""
    stale = {
        "lock": "the toolchain's lock is not the one that it was pinned with",
        "base_lock": "the lock of Debian's packages is not the one that it was pinned with",
        "layout": "the kit makes its layers in another way than when it was pinned",
    }
    for name, sentence in stale.items():
        if getattr(pinned, name) != getattr(now, name):
            raise EngineError(
                f"{where / NAME}: {sentence}: pinned {getattr(pinned, name)[:16]}, found {getattr(now, name)[:16]}",
                "restore the file from version control; after a wanted change: `inv image V --pin`",
            )


def check_image(name: str, pin: ImagePin, found_id: str, diff_ids: Sequence[str]) -> None:
    """Raise EngineError where an image is not the pinned one, naming each layer that differs."""
    if found_id == pin.id and tuple(diff_ids) == pin.diff_ids:
        return
    pairs = zip(_LAYERS, pin.diff_ids, diff_ids, strict=True)
    lines = [f"{layer}: pinned {wanted}, found {got}" for layer, wanted, got in pairs if wanted != got]
    if not lines:
        lines = [f"settings: pinned {pin.id}, found {found_id}"]
    raise EngineError(
        f"{name}: the image that was built here is not the pinned one:\n  " + "\n  ".join(lines),
        _next_step(diff_ids, pin),
    )


def _next_step(diff_ids: Sequence[str], pin: ImagePin) -> str:
    meanwhile = "meanwhile: --engine local, or `inv image V --import FILE` from a machine that has the pinned one"
    if tuple(diff_ids[:2]) == pin.diff_ids[:2] and diff_ids[2] != pin.bytecode:
        return f"the packages are right, their byte-code is not: please report it, with this CPU; {meanwhile}"
    return (
        "every download has its locked digest, so this kit makes other layers of them: is it changed? Install it"
        f" anew; if it stays, please report it; {meanwhile}; after a wanted change: `inv image V --pin`"
    )


def _broken(path: Path, why: str) -> KitError:
    return EngineError(f"{path}: {why}", "restore the file from version control, or run `inv image V --pin`")
