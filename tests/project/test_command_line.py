"""How a command line is read: the plain ones without Invoke and as Invoke reads them, and where there is help."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invoke.parser import Parser
from worlds import ROOT, run_kit, write_recipe

from kit.commands import COMMANDS
from kit.commands.overview import overview
from kit.commands.program import namespace
from kit.commands.quick import _NotPlainError, _read, run_plain

BY_INVOKE = {**os.environ, "INVOKE_NOTHING": ""}  # a setting of Invoke's: then it reads every command line
PLAIN = (
    "build recipe.toml",
    "build --engine local recipe.toml --out=dist/a=b --json",
    "build recipe.toml --timeout 60 --tensorflow 2.19.1 --memory=8g --predictions p.npz",
    "verify dist/m --allow-code",
    "image 2.19.1 --import image.tar",
    "matrix recipe.toml --jobs 2 --html page.html",
    "toolchains --json",
    "diff a.tflite b.tflite",
)
NOT_PLAIN = (
    "buidl recipe.toml",
    "-e build recipe.toml",
    "build",
    "build --json",
    "build recipe.toml another.toml",
    "build recipe.toml inspect file",
    "build inspect",
    "build recipe.toml --nonsense",
    "build recipe.toml -j",
    "build recipe.toml --json=yes",
    "build recipe.toml --json --json",
    "build recipe.toml --out a --out b",
    "build recipe.toml --out",
    "build recipe.toml --out=",
    "build recipe.toml --out --json",
    "build recipe.toml --timeout soon",
    "build recipe.toml --timeout -1",
    "build --recipe recipe.toml",
    "verify dist/m --model a.keras --model b.keras",
    "emulate dist/m -- a.png",
    "build recipe.toml --help",
)


def imported(*arguments: str) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """Run `kit` and return how it ended, and the packages that it imported."""
    argv = [sys.executable, "-X", "importtime", "-m", "kit", *arguments]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return done, {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


Reading = tuple[str, dict[str, object], dict[str, type]]  # a command, its parameters, and the types of those given


def readings(words: list[str]) -> tuple[Reading, Reading] | None:
    """Return what we read in a command line and what Invoke does, None where it is not plain."""
    try:
        command, values = _read(words)
    except _NotPlainError:
        return None
    (context,) = Parser(contexts=namespace.to_contexts()).parse_argv(words)
    theirs = context.as_kwargs
    # The rest is the defaults, which Invoke hands over one by one.
    defaults = Parser(contexts=namespace.to_contexts()).contexts[command.__name__].as_kwargs
    ours = command.__name__, defaults | values, {name: type(value) for name, value in values.items()}
    return ours, (str(context.name), theirs, {name: type(theirs[name]) for name in values})


@pytest.mark.parametrize("line", PLAIN)
def test_a_plain_line_is_read_as_invoke_reads_it(line: str) -> None:
    found = readings(line.split())
    assert found is not None
    assert found[0] == found[1]


@pytest.mark.parametrize("line", NOT_PLAIN)
def test_what_is_not_plain_is_left_to_invoke(line: str) -> None:
    assert not run_plain(line.split())


NAMES = [command.__name__ for command in COMMANDS]
OPTIONS = [name for task in namespace.to_contexts() for arg in task.args.values() for name in arg.names]
WORDS = st.one_of(
    st.sampled_from(["recipe.toml", "8", "-1", "a=b", "", "-", "--", "--out=", "--jobs=3", "-j3", *NAMES]),
    st.sampled_from(sorted({f"--{name}" if name[1:] else f"-{name}" for name in OPTIONS})),
)


@given(st.sampled_from(NAMES), st.lists(WORDS, max_size=6))
def test_no_line_is_read_in_another_way_than_invoke_does(command: str, words: list[str]) -> None:
    ours, theirs = readings([command, *words]) or (None, None)
    assert ours == theirs


def test_settings_of_invoke_are_left_to_invoke(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_plain(["--version"])
    assert capsys.readouterr().out.startswith("dropkit ")
    monkeypatch.setenv("INVOKE_RUN_ECHO", "1")
    assert not run_plain(["--version"])


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["--version"]])
def test_help_is_printed_without_invoke(arguments: list[str]) -> None:
    done, packages = imported(*arguments)
    assert done.returncode == 0
    assert done.stdout == (run_kit("--version", env=BY_INVOKE).stdout if "--version" in arguments else overview())
    assert "kit" in packages
    assert packages & {"invoke", "pydantic", "numpy", "dataclasses", "docker", "rich"} == set()


def test_the_overview_has_each_command_with_what_it_does() -> None:
    lines = overview().splitlines()
    for command in COMMANDS:
        (line,) = [line for line in lines if line.startswith(f"  {command.__name__} ")]
        what = (command.__doc__ or "").split()[:4]
        assert line.split()[1:5] == what
    assert max(map(len, lines)) <= 120
    assert "kit COMMAND --help" in overview()


@pytest.mark.parametrize("line", ["build --help", "build -h", "build recipe.toml --help", "build recipe.toml --out -h"])
def test_help_of_a_command_may_come_behind_it(line: str) -> None:
    done, usual = run_kit(*line.split()), run_kit("--help", "build")
    assert (done.returncode, done.stdout, done.stderr) == (0, usual.stdout, "")
    assert "Write its bundle".lower() in done.stdout.lower()
    assert "--tensorflow" in done.stdout


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_behind_a_command_of_inv_is_help_too(word: str) -> None:
    argv = [sys.executable, "-m", "invoke", "build", word]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, run_kit("--help", "build").stdout, "")


def test_help_behind_two_dashes_is_not_for_the_kit(tmp_path: Path) -> None:
    done = run_kit("emulate", str(tmp_path), "--", "--help")
    assert done.returncode == 2
    assert "no bundle" in done.stderr


def test_the_short_form_of_help_is_no_other_option() -> None:
    assert "h" not in OPTIONS
    assert "html" in OPTIONS


def test_a_refused_recipe_loads_nothing_that_a_build_needs_later(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, quantize_scheme="'int7'")
    done, packages = imported("build", str(recipe), "--out", str(tmp_path / "dist"))
    assert done.returncode == 2
    assert "'int8'" in done.stderr
    assert "pydantic" in packages
    assert packages & {"invoke", "numpy", "docker", "rich", "h5py", "jinja2"} == set()


def test_a_name_that_the_model_does_not_have_is_refused_without_engine_or_arrays(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, inputs_name="'imige'")
    done, packages = imported("build", str(recipe), "--out", str(tmp_path / "dist"))
    assert done.returncode == 2
    assert "did you mean 'image'?" in done.stderr
    assert packages & {"invoke", "numpy", "docker", "rich", "h5py", "jinja2"} == set()


@pytest.mark.parametrize(
    "line", ["build RECIPE --memory lots", "build RECIPE", "build nothing.toml", "diff a b", "android ."]
)
def test_an_error_is_the_same_with_invoke(tmp_path: Path, line: str) -> None:
    recipe = str(write_recipe(tmp_path, quantize_scheme="'int7'"))
    words = line.replace("RECIPE", recipe).split()
    ours, theirs = run_kit(*words), run_kit(*words, env=BY_INVOKE)
    assert ours.returncode in {2, 3}
    assert (ours.returncode, ours.stdout, ours.stderr) == (theirs.returncode, theirs.stdout, theirs.stderr)


def test_a_short_form_of_an_option_is_a_letter() -> None:
    """Invoke takes each letter of a name, and where all are taken the dash in it, which would make `--` an option."""
    options = [
        flag for context in namespace.to_contexts() for flag in Parser(contexts=[context]).contexts[context.name].flags
    ]
    assert "--threads" in options
    assert [flag for flag in options if not re.fullmatch(r"-[a-z]|--[a-z][a-z-]+[a-z]|--[a-z]", flag)] == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("emulate b --jobs x", "--jobs x is no whole number"),
        ("emulate b --threads=1.5 --json", "--threads 1.5 is no whole number"),
        ("build recipe.toml --timeout soon", "--timeout soon is no whole number"),
        ("emulate b --port 1\x1b[2J", r"--port 1\x1b[2J is no whole number"),
    ],
)
def test_an_option_that_takes_a_number_says_which_it_is(line: str, said: str) -> None:
    done = run_kit(*line.split(" "))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"usage: {said}\n  next: kit --help, or kit COMMAND --help\n"


@pytest.mark.parametrize("where", ["kit.commands.quick.run_plain", "kit.commands.program.run_program"])
def test_ctrl_c_before_a_command_begins_is_no_traceback(where: str) -> None:
    module, _, name = where.rpartition(".")
    code = (
        f"import sys, {module} as module\n"
        f"def interrupt(words):\n    raise KeyboardInterrupt\n"
        f"module.{name} = interrupt\n"
        "sys.argv = ['kit', 'emulate', 'b', '--jobs', '1', '--', 'a.png']\n"
        "from kit.__main__ import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "interrupted: nothing was left half-written\n")
