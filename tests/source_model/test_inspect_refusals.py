"""`inspect` of what is none of the files it reads, and of each that its next step names."""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds import DIGITS

from kit.errors import ModelError
from kit.inspection.files import show


def test_a_file_that_is_none_of_them_is_refused_and_each_of_them_is_read(digits_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a folder without a") as error:
        show(tmp_path)
    assert error.value.hint == "name a model file, a SavedModel, a bundle or a recipe"
    for path in (DIGITS / "digits.keras", digits_bundle, DIGITS / "recipe.toml", DIGITS):
        assert show(path).lines
