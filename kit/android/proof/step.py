"""One step of the proof and how it ended. Knows no tool and no bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from kit.errors import EngineError, KitError

Notify = Callable[[str], None]
Outcome = Literal["pass", "fail", "missing"]


@dataclass(frozen=True)
class Step:
    """What a step found. "missing" says in its hint how to get the tool that is not on this machine."""

    name: str
    verdict: Outcome
    detail: str
    hint: str = ""


class MissingToolError(EngineError):
    """A tool that a step needs is not on this machine; the hint says how to get it."""


def step(name: str, work: Callable[[], str]) -> Step:
    """Return the step that work is: its text where it passes, what it raised where a check or a tool is amiss."""
    try:
        return Step(name, "pass", work())
    except MissingToolError as missing:
        return Step(name, "missing", missing.message, missing.hint)
    except KitError as error:
        return Step(name, "fail", error.message, error.hint)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        # A stranger's signature.json, labels or vectors: the manifest is checked, and these are not.
        what = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return Step(name, "fail", f"the bundle's files are not as a build writes them: {what}", "build it again")
