"""What a search came to."""

from __future__ import annotations

from dataclasses import dataclass

from kit.recipe.schema import Recipe
from kit.search.trials import Trial


@dataclass(frozen=True)
class Found:
    """What a search came to: every candidate in the order of its trial, and the one that was built."""

    trials: tuple[Trial, ...]
    chosen: Trial
    limits: Recipe  # with the checks that the search went by
