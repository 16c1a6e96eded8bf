"""A file of the user's in a folder that the kit writes survives every command, whatever it says of the bundle."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from projects import app
from worlds import DIGITS, run_kit

from kit.build.freeze import FROZEN
from kit.bundle.manifest import BUNDLE
from kit.commands.program import namespace

LOCAL = ("--engine", "local")
MODEL = ("--model", str(DIGITS / "digits.keras"))
# By command: what it is run with, and its exit code where the bundle DIST/digits holds files of the user's.
COMMANDS: dict[str, list[tuple[tuple[str, ...], int]]] = {
    "build": [((str(DIGITS), *LOCAL, "--out", "DIST"), 2)],
    "verify": [(("DIST/digits", *LOCAL, *MODEL), 6)],
    "emulate": [(("DIST/digits",), 4), (("DIST/digits", "--allow-code"), 0)],
    "android": [(("DIST/digits",), 4)],
    "drop": [
        (("DIST/digits", "--into", "APP"), 4),
        (("WHOLE/digits", "--into", "APP"), 0),
        (("DIST/digits", "--into", "APP", "--remove"), 0),
    ],
    "sign": [(("DIST/digits", "--key", "KEY"), 4), (("WHOLE/digits", "--key", "KEY"), 2)],  # its class has no key
    "diff": [(("DIST/digits", "WHOLE/digits"), 0)],
    "inspect": [(("DIST/digits/src/main/assets/digits/model.tflite",), 0), (("DIST/digits",), 0)],
    "explore": [(("DIST/digits", "--out", "DIST"), 0)],
    "init": [
        ((str(DIGITS / "digits.keras"), "--yes", "--out", "DIST/digits/notes.txt"), 2),
        ((str(DIGITS / "digits.keras"), "--yes", "--out", "DIST/digits/mine/deep/notes.txt"), 2),
    ],
    "clean": [
        (("--out", "DIST"), 0),
        (("--out", "DIST", "--remove", "dist"), 0),
        (("--out", "DIST", "--remove", "digits"), 2),  # what is left is no bundle
        (("--out", "DIST", "--remove", "all"), 2),
        (("--out", "DIST", "--cache"), 0),
    ],
    "toolchains": [((), 0)],
    "doctor": [((), 0)],
}
SLOW = {"matrix": ("--tensorflow", "2.19.1"), "freeze": ()}
# They name no bundle, or are for those who work on the kit.
OTHERS = {"gitdiff", "image", "lock", "schema", "errors", "test", "check", "fmt", "bench", "fuzz"}
NOTES = ("notes.txt", "src/main/assets/digits/notes.txt", "mine/deep/notes.txt", ".hidden")


def put_notes(folder: Path) -> None:
    """Put files of the user's, and a link, into a folder."""
    for name in NOTES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"mine: {name}", "utf-8")
    (folder / "link").symlink_to("/usr")


def key(folder: Path) -> Path:
    """Write a private key."""
    private = ec.generate_private_key(ec.SECP256R1())
    path = folder / "key.pem"
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def lost(folder: Path) -> list[str]:
    """Return what of the user's is no longer there as it was."""
    gone = [name for name in NOTES if not _reads(folder / name, f"mine: {name}")]
    return gone if (folder / "link").is_symlink() else [*gone, "link"]


def _reads(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


def test_every_command_is_tried_or_touches_no_bundle() -> None:
    assert {*COMMANDS, *SLOW, *OTHERS} == set(namespace.task_names)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_of_the_users_survives(tmp_path: Path, digits_bundle: Path, command: str) -> None:
    bundle = Path(shutil.copytree(digits_bundle, tmp_path / "dist" / "digits"))
    put_notes(bundle)
    (tmp_path / "dist" / "notes.txt").write_text("mine", "utf-8")
    places = {
        "DIST": str(bundle.parent),
        "WHOLE": str(digits_bundle.parent),
        "APP": str(app(tmp_path)),
        "KEY": str(key(tmp_path)),
    }
    # Nothing of the real cache is to be removed.
    env = {**os.environ, "DROPKIT_CACHE": str(tmp_path / "cache")} if command == "clean" else None
    for arguments, code in COMMANDS[command]:
        words = [_placed(word, places) for word in arguments]
        done = run_kit(command, *words, env=env)
        assert done.returncode == code, (words, done.stdout, done.stderr)
        assert lost(bundle) == [], words
    assert (bundle.parent / "notes.txt").read_text("utf-8") == "mine"


def _placed(word: str, places: dict[str, str]) -> str:
    first, slash, rest = word.partition("/")
    return places.get(first, first) + slash + rest


@pytest.mark.slow
@pytest.mark.parametrize("command", SLOW)
def test_a_file_of_the_users_beside_what_other_commands_write_survives(tmp_path: Path, command: str) -> None:
    recipe = tmp_path / "recipe"
    shutil.copytree(DIGITS, recipe)
    out = tmp_path / "dist"
    again = (command, str(recipe), *LOCAL, "--out", str(out), *SLOW[command])
    assert run_kit(*again).returncode == 0
    (made,) = [path.parent for path in out.rglob("*.json") if path.name in {BUNDLE.marker, FROZEN.marker}]
    put_notes(made)
    text = (recipe / "recipe.toml").read_text("utf-8")
    (recipe / "recipe.toml").write_text(text.replace('"1.0.0"', '"1.0.1"'), "utf-8")
    done = run_kit(*again)
    assert done.returncode != 0
    assert "notes.txt" in done.stdout + done.stderr
    assert lost(made) == []
    env = {**os.environ, "DROPKIT_CACHE": str(tmp_path / "cache")}
    run_kit("clean", "--out", str(out), "--remove", "dist", env=env)
    assert lost(made) == []


@pytest.mark.slow
@pytest.mark.usefixtures("android_tools")
def test_a_file_of_the_users_in_a_proof_survives(tmp_path: Path, digits_bundle: Path) -> None:
    bundle = Path(shutil.copytree(digits_bundle, tmp_path / "dist" / "digits"))
    assert run_kit("android", str(bundle)).returncode in {0, 5}
    proof = bundle.with_name("digits.android")
    put_notes(proof)
    done = run_kit("android", str(bundle))
    assert (done.returncode, "notes.txt" in done.stderr) == (2, True)
    assert lost(proof) == []
