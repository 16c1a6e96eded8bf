"""The commands. Each is one call into kit; `inv` in a checkout and the installed `kit` read this one collection."""

from __future__ import annotations

import functools
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from kit.errors import INTERRUPTED, CheckError, KitError

if TYPE_CHECKING:
    from kit.container.image import Image
    from kit.pipeline import Options


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
        except OSError as error:
            if kwargs.get("debug"):
                raise
            what = f"{error.filename or 'a file'}: {error.strerror or error}"
            raise Exit(f"output: {what}\n  next: check that place's permissions and free space", code=2) from None
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
    answers: str = "",
    json: bool = False,
    debug: bool = False,
) -> None:
    """Convert a recipe's model, check it, and write its bundle to OUT/<id>.

    --engine is auto, docker or local; --memory (containers) such as 8g and --timeout in seconds bound the
    conversion. --answers FILE.npz is for `matrix`: it keeps the answers to every evaluation sample, real values.
    Exit codes: 0 done, 2 recipe, 3 model, 4 a check refused, 5 engine, 130 interrupted.
    """
    from kit.key import build_key
    from kit.manifest import has_answers, is_intact, read_manifest

    path = _recipe(recipe)
    identity, key = build_key(path, tensorflow) or ("", "")
    target = Path(out) / identity
    if identity and is_intact(target, key) and (not answers or has_answers(target, key, Path(answers))):
        if json:
            _print_json(read_manifest(target))
        else:
            sys.stdout.write(f"{target} is up to date: nothing it depends on has changed\n")
        return
    _build(path, tensorflow, key, _options(out, engine, memory, timeout, answers), json=json)


def _recipe(name: str) -> Path:
    """Return the recipe's file; a folder stands for the recipe.toml in it."""
    return Path(name) / "recipe.toml" if Path(name).is_dir() else Path(name)


def _options(out: str, engine: str, memory: str, timeout: int, answers: str) -> Options:
    from kit.engine import Limits
    from kit.pipeline import Options

    limits = Limits(_bytes(memory), _positive(timeout))
    return Options(Path(out), engine, limits, Path(answers) if answers else None)


def _build(path: Path, tensorflow: str, key: str, options: Options, *, json: bool) -> None:
    from kit.checks import failures
    from kit.pipeline import build
    from kit.plan import make_plan
    from kit.progress import Reporter
    from kit.recipe import load_recipe
    from kit.report import build_facts, print_built

    recipe = load_recipe(path)
    plan = make_plan(recipe.with_tensorflow(tensorflow) if tensorflow else recipe, key)
    reporter = Reporter()
    try:
        built = build(plan, options, reporter)
    finally:
        reporter.close()
    if json:
        _print_json(build_facts(built))
    else:
        print_built(built)
    failed = failures(built.verdicts)
    if failed:
        what = "; ".join(f"{v.name} is {v.value}, the recipe wants {v.limit}" for v in failed)
        raise CheckError(f"{path}: refused, no bundle was written: {what}", failed[0].hint)


@command
def freeze(
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
    """Write a recipe's model as frozen GraphDef, SavedModel, weights (.npz) and structure (JSON) to OUT/<id>.frozen.

    Names, picks, tensors inside and kept variables are those of the recipe; nothing is quantized. docs/formats.md says
    how each is loaded again. Exit codes: 0 done, 2 recipe, 3 model, 5 engine, 130 interrupted.
    """
    from kit.engine import Limits
    from kit.frozen import freeze, lines
    from kit.plan import make_plan
    from kit.progress import Reporter
    from kit.recipe import load_recipe

    read = load_recipe(_recipe(recipe))
    plan = make_plan(read.with_tensorflow(tensorflow) if tensorflow else read, "")
    reporter = Reporter()
    try:
        folder, facts = freeze(plan, engine, Path(out), Limits(_bytes(memory), _positive(timeout)), reporter)
    finally:
        reporter.close()
    _print_json(facts) if json else sys.stdout.writelines(f"{line}\n" for line in lines(folder, facts))


@command
def emulate(
    ctx: Context,
    bundle: str,
    input: list[str] = [],
    runtime: str = "",
    json: bool = False,
    top: int = 0,
    benchmark: bool = False,
    signature: str = "",
    variables: bool = False,
    load: str = "",
    save: str = "",
    debug: bool = False,
) -> None:
    """Run a bundle on a LiteRT interpreter: on its golden vectors, or on files.

    Files come with --input FILE (again and again), or after `--`: emulate BUNDLE -- a.png b.png
    --signature KEY runs them through another signature. --variables shows the variables that the model keeps;
    --load STATE.npz gives them their values first, --save STATE.npz writes them at last.
    --runtime is any that `toolchains` lists; by default the recipe's.
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
        *(["--signature", signature] if signature else []),
        *(["--variables"] if variables else []),
        *(["--load", load] if load else []),
        *(["--save", save] if save else []),
    ]
    code = run_harness(folder, runtime, arguments, Reporter().note)
    if code:
        raise SystemExit(code)


@command
def verify(
    ctx: Context,
    bundle: str,
    model: list[str] = [],
    engine: str = "auto",
    memory: str = "8g",
    timeout: int = 3600,
    json: bool = False,
    debug: bool = False,
) -> None:
    """Build a bundle again from its own lock and compare: bytes, then structure, then numbers.

    Needs the bundle and the source model alone: --model, once for each of several, where it is not at hand. Exit code 6
    names the first rung that fails.
    """
    from kit.engine import Limits, choose_engine
    from kit.errors import DifferenceError
    from kit.progress import Reporter
    from kit.verify import find_models, verify

    folder, reporter = Path(bundle), Reporter()
    sources = find_models(folder, model)
    limits = Limits(_bytes(memory), _positive(timeout))
    try:
        ladder = verify(folder, sources, choose_engine(engine, reporter.note), limits, reporter)
    finally:
        reporter.close()
    if json:
        _print_json(asdict(ladder))
    for rung in () if json else ladder.rungs:
        sys.stdout.write(f"{rung.name:10} {'holds' if rung.holds else 'FAILS'}  {rung.lines[0]}\n")
        sys.stdout.writelines(f"{'':17} {line}\n" for line in rung.lines[1:])
    if ladder.broken:
        raise DifferenceError(f"{folder}: {ladder.broken.name}: {ladder.broken.lines[0]}", ladder.broken.hint)


@command
def matrix(
    ctx: Context,
    recipe: str,
    tensorflow: str = "",
    engine: str = "auto",
    out: str = "dist",
    jobs: int = 0,
    memory: str = "8g",
    timeout: int = 3600,
    html: str = "",
    json: bool = False,
    debug: bool = False,
) -> None:
    """Build a recipe with several TensorFlow versions side by side, and compare what came out.

    --tensorflow is A,B,... or all. Each version is a `build` below OUT/<id>.matrix/<version>; one that is unchanged
    is not built again, and one that fails is a row with its cause. --jobs is how many run at once: by default as many
    as there are cores, and 3 GB of free memory for each. The page is --html FILE, or OUT/<id>.matrix/matrix.html.
    Exit codes: 0 where at least one version was built, else the gravest of theirs: 3 model, 4 check, 5 engine.
    2 recipe or usage, before anything runs; 130 interrupted.
    """
    from kit.cells import CELL_MEMORY, make_wish
    from kit.errors import RecipeError
    from kit.files import writable, write_whole
    from kit.matrix import raise_if_none_built, run_matrix, to_json
    from kit.matrix_page import render_page
    from kit.matrix_report import print_matrix
    from kit.parallel import default_jobs
    from kit.progress import Reporter

    _bytes(memory), _positive(timeout)  # refused here, not by each cell
    if jobs < 0:
        raise RecipeError(f"--jobs {jobs} is not a number of builds", "give 1 or more, or leave it out")
    wish = make_wish(_recipe(recipe), tensorflow, Path(out), engine, memory, timeout, jobs or default_jobs(CELL_MEMORY))
    result = run_matrix(wish, Reporter().note)
    page = Path(html) if html else wish.folder / "matrix.html"
    with writable(page.parent):
        write_whole(page, render_page(result).encode())
    _print_json(to_json(result)) if json else print_matrix(result, str(page))
    raise_if_none_built(result)


@command
def toolchains(ctx: Context, json: bool = False, debug: bool = False) -> None:
    """List the pinned toolchains and runtimes: versions, what is present here, and how large."""
    from kit.inventory import print_toolchains, toolchain_rows

    rows = toolchain_rows()
    _print_json(rows) if json else print_toolchains(rows)


@command
def image(
    ctx: Context, version: str, export: str = "", import_: str = "", pin: bool = False, debug: bool = False
) -> None:
    """Build the image of a toolchain in the Docker engine and print its id. VERSION is auto (the newest), or all.

    --export FILE.tar writes it for a machine without network; --import FILE.tar loads such a file there, if it is
    byte for byte the pinned image. --pin (for maintainers) writes its digests into the kit.
    """
    from kit.container import exchange
    from kit.container.client import connect
    from kit.container.image import ensure_image, pin_image
    from kit.errors import RecipeError
    from kit.progress import Reporter
    from kit.toolchain import find_toolchain, newest_toolchain
    from kit.toolchain import toolchains as pinned

    if (bool(export) + bool(import_) + pin) > 1 or (export and version == "all"):
        raise RecipeError("image: --export, --import and --pin go one at a time, --export with one version", "pick one")
    chosen = (
        list(pinned().values())
        if version == "all"
        else [newest_toolchain() if version == "auto" else find_toolchain(version)]
    )
    client, notify = connect(), Reporter().note
    if import_:
        toolchain, made = exchange.import_image(client, chosen, Path(import_), notify)
        _print_image(toolchain.id, made)
        return
    for toolchain in chosen:
        if export:
            made = exchange.export_image(client, toolchain, Path(export), notify)
        elif pin:
            path, made = pin_image(client, toolchain, notify)
            sys.stdout.write(f"{path}\n")
        else:
            made = ensure_image(client, toolchain, notify)
        _print_image(toolchain.id, made)


def _print_image(name: str, made: Image) -> None:
    sys.stdout.write(f"{name}  {made.id}  {made.reference}  {made.size / 1e6:,.0f} MB  on {made.base}\n")


@command
def inspect(ctx: Context, file: str, weights: str = "", json: bool = False, debug: bool = False) -> None:
    """Say what a model file says of itself, without TensorFlow: format, Keras version, inputs; all of a .tflite.

    --weights PATTERN, such as 'head/*', shows values and statistics of the weights by name: .keras, .h5, .npz, .tflite.
    """
    from kit.modelfile import read_model_file
    from kit.tflite import is_tflite, read_tflite, to_json
    from kit.tflite_text import describe

    if weights:
        from kit.weights import find_weights, lines

        found = find_weights(Path(file), weights)
        _print_json([asdict(each) for each in found]) if json else sys.stdout.writelines(f"{x}\n" for x in lines(found))
        return
    if is_tflite(Path(file)):
        model = read_tflite(Path(file))
        _print_json(to_json(model)) if json else sys.stdout.writelines(f"{line}\n" for line in describe(model))
        return
    facts = asdict(read_model_file(Path(file))) | {"path": file}
    if json:
        _print_json(facts)
    else:
        for key, value in facts.items():
            sys.stdout.write(f"{key:10} {value}\n")


@command
def diff(ctx: Context, a: str, b: str, json: bool = False, debug: bool = False) -> None:
    """Compare two .tflite files, or the ones of two bundles. Exit codes: 0 the same bytes, 6 different."""
    from kit.tflite import read_tflite, tflite_path
    from kit.tflite_diff import compare, table

    files = [read_tflite(tflite_path(Path(name))) for name in (a, b)]
    found = compare(files[0], files[1])
    if json:
        _print_json(found.to_json() | {"a": files[0].path, "b": files[1].path})
    else:
        sys.stdout.writelines(f"{line}\n" for line in table(files[0], files[1], found))
    if not found.same:
        raise SystemExit(6)


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
    from kit.container.base import relock_debian
    from kit.toolchain import relock

    for path in relock():
        sys.stdout.write(f"{path}\n")
    for line in relock_debian():
        sys.stdout.write(f"{line}\n")
    sys.stdout.write("next: `inv image all --pin`, for an image whose lock has changed must be pinned again\n")


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
def bench(ctx: Context, reproducibility: bool = False, tensorflow: str = "", debug: bool = False) -> None:
    """Measure the kit against a bare script, as ratios within one run (in a checkout).

    --reproducibility builds under changed circumstances instead, writes the table of docs/reproducibility.md, and
    takes about an hour; with --tensorflow V it prints that version's table.
    """
    which = ["benchmarks.reproducibility", *([tensorflow] if tensorflow else [])] if reproducibility else ["benchmarks"]
    _workshop([sys.executable, "-m", *which])


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


namespace = Collection(
    build,
    emulate,
    freeze,
    verify,
    matrix,
    toolchains,
    image,
    inspect,
    diff,
    doctor,
    lock,
    schema,
    test,
    check,
    fmt,
    bench,
    clean,
)
