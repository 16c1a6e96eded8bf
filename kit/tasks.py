"""The commands. Each is one call into kit; `inv` in a checkout and the installed `kit` read this one collection."""

from __future__ import annotations

import functools
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from kit.errors import INTERRUPTED, CheckError, KitError


def command(function: Callable[..., Any]) -> Any:
    """Make a task of a function, with our errors as one message and their exit code instead of a traceback."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            with _terminating():
                return function(*args, **kwargs)
        except KitError as error:
            if kwargs.get("debug"):
                raise
            raise Exit(f"{error.title}: {error}", code=error.code) from None
        except KeyboardInterrupt:
            raise Exit("interrupted: nothing was left half-written", code=INTERRUPTED) from None
        except (SystemExit, Exit):
            raise
        except Exception as error:
            if kwargs.get("debug"):
                raise
            raise Exit(
                f"bug: {type(error).__name__}: {error}\n  next: please report it with the output of --debug",
                code=1,
            ) from None

    return task(wrapped)


class _terminating:  # noqa: N801 - reads as a word in `with`
    """While it holds, SIGTERM ends like Ctrl-C: with containers and partial files cleared away."""

    def __enter__(self) -> None:
        self._old = signal.signal(signal.SIGTERM, _interrupt)

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self._old)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


@command
def build(
    ctx: Context,
    recipe: str,
    engine: str = "auto",
    tensorflow: str = "",
    out: str = "dist",
    memory: str = "8g",
    timeout: int = 3600,
    json: bool = False,
    debug: bool = False,
) -> None:
    """Convert a recipe's model, check it, and write its bundle to OUT/<id>.

    --engine is auto, docker or local; --memory (containers) such as 8g and --timeout in seconds bound the
    conversion. Exit codes: 0 done, 2 recipe, 3 model, 4 a check refused, 5 engine, 130 interrupted.
    """
    from kit.key import build_key
    from kit.manifest import is_intact, read_manifest

    path = _recipe(recipe)
    identity, key = build_key(path, tensorflow) or ("", "")
    target = Path(out) / identity
    if identity and is_intact(target, key):
        if json:
            _print_json(read_manifest(target))
        else:
            sys.stdout.write(f"{target} is up to date: nothing it depends on has changed\n")
        return
    _build(path, tensorflow, key, Path(out), engine, _bytes(memory), _positive(timeout), json=json)


def _recipe(name: str) -> Path:
    """Return the recipe's file; a folder stands for the recipe.toml in it."""
    return Path(name) / "recipe.toml" if Path(name).is_dir() else Path(name)


def _build(
    path: Path, tensorflow: str, key: str, out: Path, engine: str, memory: int, seconds: float, *, json: bool
) -> None:
    from kit.checks import failures
    from kit.engine import Limits
    from kit.pipeline import Options, build
    from kit.plan import make_plan
    from kit.progress import Reporter
    from kit.recipe import load_recipe
    from kit.report import print_built

    recipe = load_recipe(path)
    plan = make_plan(recipe.with_tensorflow(tensorflow) if tensorflow else recipe, key)
    reporter = Reporter()
    try:
        built = build(plan, Options(out, engine, Limits(memory, seconds)), reporter)
    finally:
        reporter.close()
    if json:
        _print_json(built.manifest or {"checks": [asdict(verdict) for verdict in built.verdicts]})
    else:
        print_built(built)
    failed = failures(built.verdicts)
    if failed:
        what = "; ".join(f"{v.name} is {v.value}, the recipe wants {v.limit}" for v in failed)
        raise CheckError(f"{path}: refused, no bundle was written: {what}", failed[0].hint)


@command
def emulate(
    ctx: Context,
    bundle: str,
    input: list[str] = [],
    runtime: str = "",
    json: bool = False,
    top: int = 0,
    benchmark: bool = False,
    debug: bool = False,
) -> None:
    """Run a bundle on a LiteRT interpreter: on its golden vectors, or on files.

    Files come with --input FILE (again and again), or after `--`: emulate BUNDLE -- a.png b.png
    """
    import shlex

    from kit.emulate import run_harness
    from kit.manifest import read_manifest
    from kit.progress import Reporter

    folder = Path(bundle)
    runtime = runtime or read_manifest(folder)["recipe"]["android"]["runtime"]
    arguments = [
        *input,
        *shlex.split(ctx.remainder or ""),
        *(["--json"] if json else []),
        *(["--top", str(top)] if top else []),
        *(["--benchmark"] if benchmark else []),
    ]
    code = run_harness(folder, runtime, arguments, Reporter().note)
    if code:
        raise SystemExit(code)


@command
def toolchains(ctx: Context, json: bool = False, debug: bool = False) -> None:
    """List the pinned toolchains and runtimes: versions, what is present here, and how large."""
    from kit.inventory import print_toolchains, toolchain_rows

    rows = toolchain_rows()
    _print_json(rows) if json else print_toolchains(rows)


@command
def image(ctx: Context, version: str = "", debug: bool = False) -> None:
    """Build a toolchain's image in the Docker engine (the newest, or --version V), and print its id."""
    from kit.container.client import connect
    from kit.container.image import ensure_image
    from kit.progress import Reporter
    from kit.toolchain import find_toolchain, newest_toolchain

    toolchain = find_toolchain(version) if version else newest_toolchain()
    made = ensure_image(connect(), toolchain, Reporter().note)
    sys.stdout.write(f"{made.id}  {made.reference}  {made.size / 1e6:,.0f} MB  on {made.base}\n")


@command
def inspect(ctx: Context, file: str, json: bool = False, debug: bool = False) -> None:
    """Say what a model file says of itself, without TensorFlow: format, Keras version, inputs."""
    from dataclasses import asdict

    from kit.modelfile import read_model_file

    facts = asdict(read_model_file(Path(file))) | {"path": file}
    if json:
        _print_json(facts)
    else:
        for key, value in facts.items():
            sys.stdout.write(f"{key:8} {value}\n")


@command
def doctor(ctx: Context, json: bool = False, debug: bool = False) -> None:
    """Check this machine: engines, Python, cache folder, free space."""
    from kit.inventory import health

    rows = health()
    if json:
        _print_json(rows)
    else:
        for row in rows:
            sys.stdout.write(f"{'ok  ' if row['ok'] else 'MISS'}  {row['what']}: {row['found']}\n")
    if not any(row["ok"] for row in rows if row["what"].endswith("engine")):
        raise SystemExit(5)


@command
def lock(ctx: Context, debug: bool = False) -> None:
    """Regenerate every lock from its .in file and cut-off date (needs the package index and a Debian mirror)."""
    from kit.toolchain import relock

    for path in relock():
        sys.stdout.write(f"{path}\n")


@command
def schema(ctx: Context, debug: bool = False) -> None:
    """Regenerate kit/recipe.schema.json from the recipe's types."""
    from kit.files import json_text, write_whole
    from kit.recipe import schema

    target = Path(__file__).parent / "recipe.schema.json"
    write_whole(target, json_text(schema()).encode())
    sys.stdout.write(f"{target}\n")


@command
def test(ctx: Context, all: bool = False, k: str = "", debug: bool = False) -> None:
    """Run the tests (in a checkout). --all runs the slow ones, too; -k picks by name."""
    arguments = [] if all else ["-m", "not slow"]
    _workshop([sys.executable, "-m", "pytest", *arguments, *(["-k", k] if k else [])])


@command
def check(ctx: Context, debug: bool = False) -> None:
    """Lint and type-check (in a checkout)."""
    _workshop(
        [sys.executable, "-m", "ruff", "check"],
        [sys.executable, "-m", "ruff", "format", "--check"],
        [sys.executable, "-m", "mypy"],
    )


@command
def fmt(ctx: Context, debug: bool = False) -> None:
    """Format the code (in a checkout)."""
    _workshop(
        [sys.executable, "-m", "ruff", "check", "--fix-only", "--quiet"],
        [sys.executable, "-m", "ruff", "format"],
    )


@command
def bench(ctx: Context, debug: bool = False) -> None:
    """Measure the kit against a bare script, as ratios within one run (in a checkout)."""
    _workshop([sys.executable, "-m", "benchmarks"])


@command
def clean(ctx: Context, cache: bool = False, debug: bool = False) -> None:
    """Remove ./dist; with --cache also every toolchain, wheel and log that dropkit keeps for this user."""
    import shutil

    from kit.files import cache_dir

    for folder in [Path("dist"), *([cache_dir()] if cache else [])]:
        if folder.exists():
            shutil.rmtree(folder)
            sys.stdout.write(f"removed {folder}\n")


def _workshop(*commands: list[str]) -> None:
    """Run commands that need the project's own files, at its root; stop at the first that fails."""
    import subprocess

    from kit.errors import RecipeError

    root = Path(__file__).parent.parent
    if not (root / "pyproject.toml").exists():
        raise RecipeError(
            "this command is for a checkout of dropkit, and this is an installed one", "clone the repository"
        )
    for argv in commands:
        code = subprocess.run(argv, cwd=root, check=False).returncode
        if code:
            raise SystemExit(code)


def _bytes(text: str) -> int:
    from kit.errors import RecipeError

    units = {"k": 10, "m": 20, "g": 30}
    number, unit = (text[:-1], text[-1].lower()) if text[-1:].lower() in units else (text, "")
    if not number.isdigit() or int(number) == 0:
        raise RecipeError(f"--memory {text!r} is not a size", "write 512m or 8g")
    return int(number) << units.get(unit, 0)


def _positive(seconds: int) -> float:
    from kit.errors import RecipeError

    if seconds <= 0:
        raise RecipeError(f"--timeout {seconds} is not a time", "give a number of seconds above 0")
    return float(seconds)


def _print_json(value: Any) -> None:
    from kit.files import json_text

    sys.stdout.write(json_text(value))


namespace = Collection(build, emulate, toolchains, image, inspect, doctor, lock, schema, test, check, fmt, bench, clean)
