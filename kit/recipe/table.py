"""What every table of a recipe shares: its strictness, and the types of its values."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1)]
Pixel = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]  # far beyond 0..255, and whole in float32
Axis = Annotated[int, Field(ge=1, le=2**31 - 1)]  # TFLite counts in int32
DYNAMIC = -1
OpenAxis = Annotated[int, Field(ge=DYNAMIC, le=2**31 - 1)]


class Table(BaseModel):
    """A table whose values are never converted, and that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
