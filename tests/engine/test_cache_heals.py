"""A damaged or half-made entry of the cache is made again, and one line says so; a whole one is used as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.android.proof import kotlin_compiler, tools
from kit.cleaning import choose, find_entries, remove_entry
from kit.engine import logs
from kit.errors import EngineError, RecipeError
from kit.lifetime import locks
from kit.lifetime.locks import release
from kit.toolchains import space, venv, wheels
from kit.toolchains.lockfile import Lock
from kit.toolchains.stamp import damage, write_stamp

CONTENT = b"what was installed"
PIN = f"thing==1.0 --hash=sha256:{hashlib.sha256(CONTENT).hexdigest()}\n"


def cut(path: Path) -> None:
    path.write_bytes(CONTENT[:3])


def delete(path: Path) -> None:
    path.unlink()


def flip(path: Path) -> None:
    path.write_bytes(CONTENT.swapcase())


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty cache in which every download is one small file."""
    monkeypatch.setenv("DROPKIT_CACHE", str(tmp_path))
    for module in (venv, tools):
        monkeypatch.setattr(module, "_checked", set())
    monkeypatch.setattr(venv, "_failure", _install)
    monkeypatch.setattr(wheels, "_download", lambda _lock, _python, _machine, folder: _put(folder / "thing.whl"))
    monkeypatch.setattr(tools, "_fetch_kotlin", lambda folder, _notify: _fetch(folder))
    monkeypatch.setattr(kotlin_compiler, "kotlin", lambda _notify: None)
    monkeypatch.setattr(kotlin_compiler, "_compile_desktop", lambda jar, _tool, _notify: _jar(jar))
    return tmp_path


def _put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT)


def _install(argv: list[str], _env: object, _what: str) -> str:
    if "venv" in argv:
        _put(Path(argv[-1]) / "bin" / "python")
    else:
        _put(Path(argv[0]).parent.parent / "lib" / "thing.py")
    return ""


def _fetch(folder: Path) -> None:
    _put(folder / "package" / "lib" / "kotlin-compiler.jar")
    write_stamp(folder)
    (folder / ".complete").touch()


def _jar(jar: Path) -> None:
    jar.with_suffix(".sha256").write_text(hashlib.sha256(CONTENT).hexdigest(), "utf-8")
    _put(jar)


def _lock(folder: Path) -> Lock:
    return Lock(folder / "requirements.lock", PIN)


ENTRIES: dict[str, tuple[str, Callable[[Path, Callable[[str], None]], object]]] = {
    "venv": ("venvs/*/lib/thing.py", lambda at, notify: venv.locked_venv("litert", "LiteRT", _lock(at), notify)),
    "wheel": ("wheels/*/thing.whl", lambda at, notify: wheels.fetch_wheels(_lock(at), "3.11", "x86_64", notify)),
    "compiler": ("kotlin/*/package/lib/*.jar", lambda _, notify: tools.kotlin(notify)),
    "classes": ("kotlin/desktop-*.jar", lambda _, notify: kotlin_compiler.desktop_jar(notify)),
}


@pytest.mark.parametrize("harm", [cut, delete, flip])
@pytest.mark.parametrize("kind", ENTRIES)
def test_a_damaged_entry_is_made_again_and_one_line_says_so(
    cache: Path, monkeypatch: pytest.MonkeyPatch, kind: str, harm: Callable[[Path], None]
) -> None:
    pattern, obtain = ENTRIES[kind]
    said: list[str] = []
    obtain(cache, said.append)
    (file,) = cache.glob(pattern)
    assert not [line for line in said if "made again" in line]
    harm(file)
    for module in (venv, tools):  # as in the next process
        monkeypatch.setattr(module, "_checked", set())
    obtain(cache, said.append)
    assert file.read_bytes() == CONTENT
    wanted = 0 if (kind, harm) == ("classes", delete) else 1  # a jar that is gone was never there
    assert len([line for line in said if line.startswith("made again")]) == wanted
    said.clear()
    obtain(cache, said.append)
    assert said == []


def test_a_half_made_venv_is_made_again(cache: Path) -> None:
    said: list[str] = []
    python = ENTRIES["venv"][1](cache, said.append)
    (Path(str(python)).parent.parent / ".complete").unlink()
    venv._checked.clear()
    ENTRIES["venv"][1](cache, said.append)
    assert [line for line in said if line.startswith("made again")] != []


def test_a_copied_cache_is_whole_and_one_without_a_stamp_gets_one(tmp_path: Path) -> None:
    _put(tmp_path / "lib" / "thing.py")
    write_stamp(tmp_path)
    _put(tmp_path / "lib" / "thing.py")  # the same content, at another time
    assert damage(tmp_path) == []
    (tmp_path / ".stamp").unlink()
    assert damage(tmp_path) == []
    cut(tmp_path / "lib" / "thing.py")
    assert damage(tmp_path) == ["lib/thing.py"]
    (tmp_path / ".stamp").write_text('{"format"', "utf-8")
    assert damage(tmp_path) == [".stamp"]


def test_too_little_space_is_said_before_anything_is_fetched(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venv, "RUNTIME_BYTES", 1 << 60)
    with pytest.raises(EngineError, match=r"GB are free, and litert needs about") as caught:
        ENTRIES["venv"][1](cache, lambda _line: None)
    assert "DROPKIT_CACHE" in caught.value.hint
    assert not list(cache.glob("venvs/*/bin"))


def test_a_program_that_ends_on_a_full_disk_names_both_places(cache: Path) -> None:
    error = space.full_error("litert", "ERROR: [Errno 28] No space left on device")
    assert error is not None
    assert str(cache) in error.message
    assert "TMPDIR" in error.hint
    assert space.full_error("litert", "ERROR: no network") is None


def test_logs_are_few(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MOST_LOGS", 3)
    for number in range(5):
        cut(cache / "worker.log")
        kept = logs.keep_log(cache / "worker.log", f"model-{number}")
    assert kept.exists()
    assert len(list((cache / "logs").iterdir())) == 3


def test_clean_removes_what_is_named_and_leaves_what_is_used_or_a_users(cache: Path) -> None:
    ENTRIES["venv"][1](cache, lambda _line: None)
    ENTRIES["wheel"][1](cache, lambda _line: None)
    dist = cache / "out"
    bundle = dist / "digits"
    for name, text in {"bundle.json": '{"files": {"a": "x"}}', "a": "a", "mine.txt": "mine"}.items():
        _put(bundle / name)
        (bundle / name).write_text(text, "utf-8")
    entries = find_entries(dist, cache)
    (wheel,), (made,) = choose(entries, ["wheels"]), choose(entries, ["litert-*"])
    for used in (wheel, made):
        assert remove_entry(used) == f"left {used.name}: a run uses it"
    release(locks._kept.pop(wheel.path))
    assert remove_entry(wheel) == f"removed {wheel.name}"
    assert remove_entry(choose(entries, ["dist"])[0]) == "left in dist/digits, for no build wrote it: mine.txt"
    assert [path.name for path in bundle.iterdir()] == ["mine.txt"]
    with pytest.raises(RecipeError, match="names nothing"):
        choose(entries, ["none"])
