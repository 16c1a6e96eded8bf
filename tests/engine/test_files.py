"""Files that appear whole or not at all, and digests that stand for content and for nothing else."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.errors import OutputError
from kit.files import (
    Product,
    cache_dir,
    check_place,
    json_text,
    replacing,
    sha256_file,
    sha256_tree,
    tree_digests,
    writable,
    write_whole,
)
from kit.lifetime.scratch import sweep_partials

WHOLE = {"bundle.json": "{}\n", "src/model.tflite": "weights"}


def write_tree(root: Path, files: dict[str, str]) -> Path:
    """Write files by their path below root."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    return root


def read_tree(root: Path) -> dict[str, str]:
    """Return every file below root by its path."""
    return {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in root.rglob("*") if path.is_file()}


def names(folder: Path) -> list[str]:
    """Return what is in a folder, hidden or not."""
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------- replacing


def test_a_new_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "dist" / "digits"
    with replacing(target) as staging:
        write_tree(staging, WHOLE)
        assert not target.exists()
    assert read_tree(target) == WHOLE
    assert names(target.parent) == ["digits"]


def test_the_new_folder_can_be_read_by_everyone(tmp_path: Path) -> None:
    with replacing(tmp_path / "digits") as staging:
        write_tree(staging, WHOLE)
    assert (tmp_path / "digits").stat().st_mode & 0o777 == 0o755


def test_an_old_folder_is_replaced_with_nothing_of_it_left(tmp_path: Path) -> None:
    target = write_tree(tmp_path / "digits", {"old.txt": "old", "src/model.tflite": "old"})
    with replacing(target) as staging:
        write_tree(staging, WHOLE)
        assert read_tree(target)["old.txt"] == "old"
    assert read_tree(target) == WHOLE
    assert names(tmp_path) == ["digits"]


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_keeps_the_old_folder_and_leaves_nothing_beside(tmp_path: Path, fault: type[BaseException]) -> None:
    target = write_tree(tmp_path / "digits", {"old.txt": "old"})
    with pytest.raises(fault), replacing(target) as staging:
        write_tree(staging, WHOLE)
        raise fault
    assert read_tree(target) == {"old.txt": "old"}
    assert names(tmp_path) == ["digits"]


def test_a_failure_without_an_old_folder_leaves_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="half"), replacing(tmp_path / "digits") as staging:
        write_tree(staging, WHOLE)
        raise ValueError("half")
    assert names(tmp_path) == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("nth", [1, 2])
def test_an_interrupt_around_either_rename_leaves_the_old_or_the_new_folder_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int, when: str
) -> None:
    old = {"old.txt": "old", "deep/old.txt": "old"}
    target = write_tree(tmp_path / "digits", old)
    rename, calls = Path.rename, []

    def interrupted(self: Path, other: Path) -> Path:
        calls.append(self)
        if len(calls) == nth and when == "before":
            raise KeyboardInterrupt
        moved = rename(self, other)
        if len(calls) == nth:
            raise KeyboardInterrupt
        return moved

    monkeypatch.setattr("kit.files.exchange", lambda _one, _other: False)  # as on a file system without it
    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), replacing(target) as staging:
        write_tree(staging, WHOLE)
    assert read_tree(target) == (WHOLE if (nth, when) == (2, "after") else old)
    assert names(tmp_path) == ["digits"]


def test_there_is_no_moment_without_a_folder(tmp_path: Path) -> None:
    target = write_tree(tmp_path / "digits", WHOLE)
    look = "import os, sys\nmissed = n = 0\nwhile not os.path.exists(sys.argv[2]):\n    n += 1\n"
    look += "    missed += not os.path.exists(sys.argv[1])\nprint(missed, n)\n"
    argv = [sys.executable, "-c", look, str(target / "bundle.json"), str(tmp_path / "over")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as watcher:
        for _ in range(400):
            with replacing(target) as staging:
                (staging / "bundle.json").write_text("{}\n", "utf-8")
        (tmp_path / "over").touch()
        missed, looks = map(int, watcher.communicate(timeout=60)[0].split())
    assert (missed, looks > 400) == (0, True)


def test_without_an_exchange_a_kill_between_the_renames_is_mended_by_the_next_run(tmp_path: Path) -> None:
    target = write_tree(tmp_path / "digits", {"old.txt": "old"})
    code = (
        "import os, sys; from pathlib import Path; import kit.files as files\n"
        "files.exchange = lambda one, other: False\n"
        "rename = Path.rename\n"
        "Path.rename = lambda self, other: (rename(self, other), os.kill(os.getpid(), 9))\n"
        "with files.replacing(Path(sys.argv[1])) as staging:\n"
        "    (staging / 'new.txt').write_text('new')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert (done.returncode, target.exists()) == (-9, False)
    sweep_partials(tmp_path)
    assert read_tree(tmp_path) == {"digits/old.txt": "old"}


def test_a_file_of_the_users_own_in_the_folder_is_named_and_kept(tmp_path: Path) -> None:
    bundle = Product("bundle", "bundle.json")
    listed = {"bundle.json": '{"files": {"a.txt": "x"}}', "a.txt": "a", "emulate/__pycache__/a.pyc": "noise"}
    target = write_tree(tmp_path / "digits", listed)
    check_place(target, bundle)
    write_tree(target, {"notes/mine.txt": "mine"})
    with pytest.raises(OutputError, match=r"not replaced, .*: notes/mine\.txt"):
        check_place(target, bundle)
    with pytest.raises(OutputError, match=r"notes/mine\.txt"), replacing(target, bundle) as staging:
        write_tree(staging, WHOLE)
    assert (target / "notes" / "mine.txt").read_text("utf-8") == "mine"
    assert names(tmp_path) == ["digits"]


def test_a_killed_process_leaves_the_old_folder(tmp_path: Path) -> None:
    target = write_tree(tmp_path / "digits", {"old.txt": "old"})
    code = (
        "import os, sys; from pathlib import Path; from kit.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as staging:\n"
        "    (staging / 'half').write_text('half'); os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert done.returncode == -9
    assert len(names(tmp_path)) == 2
    check_place(target.with_name("another"), Product("bundle", "bundle.json"))
    assert read_tree(tmp_path) == {"digits/old.txt": "old"}


# ---------------------------------------------------------------- where nothing can be written


def test_a_file_in_the_place_of_a_folder_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "dist").write_text("a file", "utf-8")
    for target in (tmp_path / "dist" / "digits", tmp_path / "dist" / "deep" / "digits"):
        with pytest.raises(OutputError, match="a part of that path is a file, not a folder"), replacing(target):
            pytest.fail("there is no place to write")
    assert (tmp_path / "dist").read_text("utf-8") == "a file"


def test_a_name_that_is_too_long_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="that name is too long"), replacing(tmp_path / ("x" * 300)):
        pytest.fail("there is no place to write")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, the disk that is always full")
def test_a_full_disk_is_said_in_words(tmp_path: Path) -> None:
    def fill() -> None:
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")

    assert "the disk is full" in _refused(tmp_path / "digits", fill)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "no permission to write there"),
        (errno.EPERM, "no permission to write there"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EDQUOT, "the disk quota is used up"),
    ],
)
def test_each_refusal_of_the_system_has_its_words(tmp_path: Path, number: int, words: str) -> None:
    def refuse() -> None:
        raise OSError(number, os.strerror(number))

    assert words in _refused(tmp_path / "digits", refuse)


def _refused(target: Path, write: Callable[[], None]) -> str:
    with pytest.raises(OutputError) as caught, replacing(target):
        write()
    assert str(target.parent) in caught.value.message
    assert caught.value.code == 2
    return caught.value.message


def test_a_fault_that_is_not_about_writing_is_not_called_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), writable(tmp_path):
        (tmp_path / "none").read_bytes()


# ---------------------------------------------------------------- one file


def test_a_file_appears_whole_with_its_folders(tmp_path: Path) -> None:
    write_whole(tmp_path / "deep" / "a.json", b"{}\n")
    write_whole(tmp_path / "deep" / "a.json", b"[]\n")
    assert (tmp_path / "deep" / "a.json").read_bytes() == b"[]\n"
    assert (tmp_path / "deep" / "a.json").stat().st_mode & 0o777 == 0o644
    assert names(tmp_path / "deep") == ["a.json"]


def test_a_file_that_cannot_take_its_place_leaves_nothing_beside(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.json/full.txt": "a folder is there"})
    with pytest.raises(OSError, match="directory"):
        write_whole(tmp_path / "a.json", b"{}\n")
    assert names(tmp_path) == ["a.json"]


# ---------------------------------------------------------------- digests and JSON


def test_the_digest_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == sha256_tree(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_the_digest_of_a_folder_stands_for_its_names_and_contents_only(tmp_path: Path) -> None:
    first = write_tree(tmp_path / "first", {"a": "1", "deep/b": "2"})
    second = write_tree(tmp_path / "second", {"deep/b": "2", "a": "1"})
    os.utime(second / "a", (0, 0))
    (second / "a").chmod(0o600)
    assert sha256_tree(first) == sha256_tree(second)


@pytest.mark.parametrize(
    "other",
    [
        {"a": "1", "deep/b": "3"},
        {"a": "1", "deep/c": "2"},
        {"a": "1", "b": "2"},
        {"a": "1"},
        {"a": "2", "deep/b": "1"},
        {},
    ],
    ids=["content", "name", "place", "one less", "swapped", "empty"],
)
def test_the_digest_of_a_folder_changes_with_anything_in_it(tmp_path: Path, other: dict[str, str]) -> None:
    (tmp_path / "second").mkdir()
    first = write_tree(tmp_path / "first", {"a": "1", "deep/b": "2"})
    assert sha256_tree(first) != sha256_tree(write_tree(tmp_path / "second", other))


def test_the_files_of_a_tree_are_sorted_and_byte_code_is_none_of_them(tmp_path: Path) -> None:
    write_tree(tmp_path, {"b": "", "a/z": "", "a.b": "", "a/__pycache__/z.pyc": "noise"})
    assert list(tree_digests(tmp_path)) == ["a.b", "a/z", "b"]


def test_a_link_to_a_file_counts_as_the_file_and_one_to_a_folder_as_nothing(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"a": "1"})
    (tree / "file").symlink_to(write_tree(tmp_path / "other", {"b": "2"}) / "b")
    (tree / "folder").symlink_to(tmp_path / "other")
    (tree / "nowhere").symlink_to(tmp_path / "nothing")
    os.mkfifo(tree / "pipe")
    assert tree_digests(tree) == {
        name: hashlib.sha256(text).hexdigest() for name, text in (("a", b"1"), ("file", b"2"))
    }
    assert tree_digests(tmp_path / "nothing") == tree_digests(tree / "a") == {}


def test_json_is_the_same_text_for_the_same_value() -> None:
    assert json_text({"b": [1, 2.5, None], "a": "ü"}) == json_text({"a": "ü", "b": [1, 2.5, None]})
    assert json_text({"b": 1, "a": "ü"}) == '{\n  "a": "ü",\n  "b": 1\n}\n'


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DROPKIT_CACHE", str(tmp_path / "here"))
    assert cache_dir() == tmp_path / "here"
    monkeypatch.setenv("DROPKIT_CACHE", "~/there")
    assert cache_dir() == Path.home() / "there"
    monkeypatch.delenv("DROPKIT_CACHE")
    assert "dropkit" in cache_dir().parts
