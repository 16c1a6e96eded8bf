"""[android] also: further runtimes that a file has to run on as built, as a gate of a build."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kit.emulation.run import replay_golden
from kit.errors import CheckError, RecipeError
from kit.progress import Reporter
from kit.recipe.schema import Recipe
from kit.toolchains.operator_support import check_fit
from kit.toolchains.toolchain import find_runtime


def refuse_unknown_runtimes(recipe: Recipe) -> None:
    """Refuse runtimes that are not pinned, before anything is converted. Raises RecipeError."""
    for name in recipe.android.also:
        try:
            find_runtime(name)
        except RecipeError as error:
            raise RecipeError(f"{recipe.path}: [android] also: {error.message}", error.hint) from error


def check_operators(recipe: Recipe, model: Path, flex: Sequence[str]) -> None:
    """Refuse a file with an operator that one of the runtimes lacks. Raises CheckError."""
    for name in recipe.android.also:
        with _named(recipe, name):
            if flex:
                ops = ", ".join(flex)
                raise CheckError(
                    f"{name} cannot run this model here: it needs {ops}", "build it without these operators"
                )
            check_fit(model, name)


def check_also(recipe: Recipe, bundle: Path, reporter: Reporter) -> None:
    """Replay a bundle's golden vectors on each of the runtimes. Raises CheckError where one gives other outputs."""
    for name in recipe.android.also:
        runtime = find_runtime(name).name
        if runtime != find_runtime(recipe.android.runtime).name:
            reporter.stage(f"replay them on {runtime}")
            with _named(recipe, name):
                replay_golden(bundle, runtime, reporter.note)


@contextmanager
def _named(recipe: Recipe, name: str) -> Iterator[None]:
    """Say of a refusal in this block that it is this gate's."""
    try:
        yield
    except CheckError as error:
        raise CheckError(
            f"{recipe.path}: refused, no bundle was written: [android] also: {error.message}",
            f"remove {name} from also; or {error.hint}",
        ) from error
