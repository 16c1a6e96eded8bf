"""`emulate --serve`: reads its options, makes one call, prints the page's address. No command of its own."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.errors import RecipeError

if TYPE_CHECKING:
    from kit.serving.models import Settings

_TAKEN = {"runtime", "against", "signature", "top", "threads", "kernels"}  # of the options of `emulate`


@dataclass(frozen=True)
class PageOptions:
    """Where the page is: its port, 0 for any; browser: it is opened there; debug: faults show their traceback."""

    port: int
    browser: bool
    debug: bool


def refuse_page_options(port: int, *, browser: bool) -> None:
    """Refuse options of the page without --serve. Raises RecipeError."""
    if port or browser:
        name = "--port" if port else "--open"
        raise RecipeError(f"{name} is for the page, and --serve is not given", f"add --serve, or leave {name} out")


def emulate_served(bundles: Sequence[Path], options: PageOptions, settings: Settings, given: Collection[str]) -> None:
    """Serve a page of bundles until it is interrupted. given: the names of the other options that are given.

    Raises RecipeError for what does not go together, and what kit.serving raises.
    """
    if others := [name for name in given if name not in _TAKEN]:
        what = " and ".join(f"--{name}" if name != "files" else name for name in others)
        raise RecipeError(f"--serve does not go with {what}: the page takes the files", f"leave {what} out")
    if settings.top < 1:
        raise RecipeError(f"--top {settings.top} is not a number of classes", "give 1 or more, or leave it out")
    from kit.progress import Reporter
    from kit.serving.models import KERNELS, loaded_models
    from kit.serving.server import serve

    if settings.kernels not in KERNELS:
        raise RecipeError(f"--kernels {settings.kernels!r} is not known", f"there is: {', '.join(KERNELS)}")
    notify = Reporter().note

    def tell(address: str) -> None:
        """Print where the page is."""
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        notify("Ctrl-C ends it")

    with loaded_models(bundles, settings, notify) as models:
        serve(models, options.port, tell, browser=options.browser, debug=options.debug)
