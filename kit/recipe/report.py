"""[report] of a recipe: what report.html of the bundle shows."""

from __future__ import annotations

from pydantic import Field

from kit.recipe.table import Table


class Report(Table):
    """What report.html of the bundle shows."""

    samples: int = Field(
        default=12,
        ge=0,
        le=12,
        description="how many samples it shows at most, the worst first; 0: none, and no names of their files",
    )
