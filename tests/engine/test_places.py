"""Odd names, locales, no home, a read-only cache, a wrong clock: builds work, or one sentence says why not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from projects import KTS
from worlds import DIGITS, ROOT

from kit.engine.docker import DockerEngine
from kit.engine.local import LocalEngine
from kit.errors import OutputError
from kit.files import cache_dir, tree_digests
from kit.toolchains.toolchain import find_toolchain

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's names, locales and mounts")
ODD = "a b 'q' \"d\" \nü,$e"
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.fixture(params=["local", pytest.param("docker", marks=pytest.mark.container)])
def engine(request: pytest.FixtureRequest) -> str:
    """Give each engine; where none of Docker's responds it is left out, with the reason."""
    if request.param == "docker":
        request.getfixturevalue("docker_client")
    return str(request.param)


class Place:
    """A folder for all that a user has: recipe, output, app and temporary files; and how kit runs there."""

    def __init__(self, root: Path, changes: Mapping[str, str | None], wrap: Sequence[str] = ()) -> None:
        self.root, self.wrap = root, wrap
        for name in ("scratch", "app", "home"):
            (root / name).mkdir(parents=True)
        shutil.copytree(DIGITS, root / "recipe")
        (root / "app" / "build.gradle.kts").write_text(KTS, "utf-8")
        env = {**os.environ, "TMPDIR": str(root / "scratch"), **changes}
        self.env = {name: value for name, value in env.items() if value is not None}

    def kit(self, *argv: object) -> subprocess.CompletedProcess[bytes]:
        command = [*self.wrap, sys.executable, "-m", "kit", *map(str, argv)]
        return subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, check=False, timeout=900)

    def build(self, engine: str) -> subprocess.CompletedProcess[bytes]:
        return self.kit("build", self.root / "recipe", "--engine", engine, "--out", self.root / "dist")

    def all_commands_work(self, engine: str) -> None:
        """Build, emulate, drop, take out again and verify; nothing is left but the bundle."""
        bundle, app = self.root / "dist" / "digits", ("--into", self.root / "app")
        model = self.root / "recipe" / "digits.keras"
        for done in (
            self.build(engine),
            self.kit("emulate", bundle),
            self.kit("drop", bundle, *app),
            self.kit("drop", bundle, *app, "--remove"),
            self.kit("verify", bundle, "--engine", engine, "--model", model),
        ):
            assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
        assert list((self.root / "scratch").iterdir()) == []
        assert list(tree_digests(self.root / "app")) == ["build.gradle.kts"]
        assert sorted(path.name for path in (self.root / "dist").iterdir()) == ["digits", "digits.build.json"]


def test_odd_names_a_locale_of_ascii_no_home_and_files_of_the_future(
    tmp_path: Path, own_cache: Path, engine: str
) -> None:
    cache = tmp_path / "c 'q' \"d\" ü*?"
    own_cache.rename(cache)
    place = Place(tmp_path / ODD, ASCII | {"HOME": None, "LANG": None, "DROPKIT_CACHE": str(cache)})
    for path in (place.root / "recipe").iterdir():
        os.utime(path, (4e9, 4e9))
    place.all_commands_work(engine)


@pytest.mark.slow
def test_a_locale_of_latin_1_and_a_home_that_cannot_be_written(tmp_path: Path, engine: str) -> None:
    name = "en_US.ISO-8859-1"
    argv = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(tmp_path / name)]
    if not shutil.which("localedef") or subprocess.run(argv, capture_output=True, check=False).returncode:
        pytest.skip("no such locale can be made here")
    home = {"HOME": "/proc/none", "DROPKIT_CACHE": str(cache_dir())}
    Place(tmp_path / "ü", home | {"LOCPATH": str(tmp_path), "LC_ALL": name}).all_commands_work(engine)


@pytest.mark.slow
def test_a_complete_cache_may_be_read_only(tmp_path: Path, own_cache: Path, engine: str) -> None:
    mount = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
    wrap = ["unshare", "-m", "sh", "-c", mount, "sh", str(own_cache)]
    if subprocess.run([*wrap, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace can be made here")
    refused = subprocess.run([*wrap, "touch", str(own_cache / "x")], capture_output=True, check=False)
    assert b"Read-only" in refused.stderr
    Place(tmp_path / "place", {"DROPKIT_CACHE": str(own_cache)}, wrap).all_commands_work(engine)


@pytest.mark.slow
def test_a_clock_that_was_set_back(tmp_path: Path, engine: str) -> None:
    if not shutil.which("faketime"):
        pytest.skip("needs faketime (Debian: faketime)")
    Place(tmp_path / "place", {}, ["faketime", "1970-01-02 03:04:05"]).all_commands_work(engine)


@pytest.mark.parametrize("odd", [b"a:b", b"a*b", b"a[b", b"a?b", b"a\\b", b"caf\xe9"])
def test_a_temporary_folder_that_tensorflow_cannot_use_is_exchanged_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: bytes
) -> None:
    def prepare(folder: Path) -> None:
        folder.mkdir()
        monkeypatch.setenv("TMPDIR", str(folder))
        monkeypatch.setattr("tempfile.tempdir", None)
        LocalEngine().prepare(find_toolchain("2.19.1"), print)

    with pytest.raises(OutputError, match="TensorFlow cannot work in a folder whose path has") as error:
        prepare(tmp_path / os.fsdecode(odd))
    assert error.value.hint == "set TMPDIR to another folder"
    prepare(tmp_path / "a b")


def test_an_engine_takes_no_folder_whose_name_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / os.fsdecode(b"caf\xe9")))
    with pytest.raises(OutputError, match="bytes that are no UTF-8"):
        DockerEngine(None).prepare(find_toolchain("2.19.1"), print)  # type: ignore[arg-type]


@pytest.mark.parametrize("odd", [b"a\nb", b"caf\xe9"])
def test_a_cache_that_tensorflow_cannot_be_loaded_from_is_moved(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, odd: bytes
) -> None:
    toolchain = find_toolchain("2.19.1")
    monkeypatch.setenv("DROPKIT_CACHE", str(tmp_path / os.fsdecode(odd)))
    with pytest.raises(OutputError, match="TensorFlow cannot work in a folder whose path has") as error:
        LocalEngine().prepare(toolchain, print)
    assert error.value.hint == "set DROPKIT_CACHE to another folder"
    monkeypatch.setenv("DROPKIT_CACHE", str(own_cache))
    LocalEngine().prepare(toolchain, print)


def test_a_user_without_a_home_names_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_uid: int) -> None:
        raise KeyError

    for name in ("HOME", "DROPKIT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(OutputError, match="has no home folder") as error:
        cache_dir()
    assert error.value.hint == "set DROPKIT_CACHE to a folder"
    monkeypatch.setenv("DROPKIT_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path


def test_a_home_that_cannot_be_written_is_named_with_the_variable_that_moves_the_cache(tmp_path: Path) -> None:
    place = Place(tmp_path / "place", {"HOME": "/proc/none", "XDG_CACHE_HOME": None, "DROPKIT_CACHE": None})
    done = place.build("local")
    assert done.returncode == 5
    assert b"/proc/none/.cache/dropkit/venvs: cannot be written" in done.stderr
    assert b"next: set DROPKIT_CACHE to a folder" in done.stderr
