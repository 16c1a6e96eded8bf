"""Look at files: inspect, diff, explore; and run a bundle on files: emulate."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kit.commands.command import command, print_json, words_behind_dashes
from kit.errors import RecipeError

if TYPE_CHECKING:
    from invoke.context import Context

MOST_THREADS = 256  # of an interpreter; a bundle's own emulate.py has the same


@command
def emulate(
    ctx: Context,
    bundle: str,
    input: list[str] = [],
    runtime: str = "",
    json: bool = False,
    top: int = 0,
    benchmark: bool = False,
    against: list[str] = [],
    signature: str = "",
    variables: bool = False,
    load: str = "",
    save: str = "",
    golden: bool = False,
    threads: int = 0,
    kernels: str = "",
    jobs: int = 0,
    jsonl: bool = False,
    csv: bool = False,
    save_outputs: str = "",
    labels: str | None = None,
    accelerator: str = "",
    arch: str = "",
    cpu: str = "",
    profile: bool = False,
    compare: bool = False,
    serve: bool = False,
    port: int = 0,
    open: bool = False,
    allow_code: bool = False,
    debug: bool = False,
) -> None:
    """Run a bundle on a LiteRT interpreter: on its golden vectors, or on files.

    Files come with --input FILE (again and again), or after `--`: emulate BUNDLE -- a.png 'my photo.png' album
    Every word behind `--` is a file, also one that begins with a dash; - is stdin. A file is an image, .wav, .txt,
    .csv, .npz, .npy, .raw or .bin. A folder stands for those in it, sorted by name, without hidden files and
    subfolders. A quoted 'album/*.png' is expanded. BUNDLE may be a .tflite alone, which has no golden vectors.
    A file that cannot be used is one line on stderr, and an entry of "errors" in --json; the outputs of the others are
    printed, and the exit code is 2. --save then writes nothing.
    --jsonl and --csv print a line for each sample; --save-outputs FILE.npz writes all outputs as arrays. --jobs N runs
    many files in N processes at most (default: one for each core).
    --labels TRUTH gives the metrics of the outputs: a .csv with a column for each output, or y, and perhaps `file`; an
    .npz with y or y/<output>; COCO JSON for boxes; or a folder of PNG masks.
    --signature KEY runs the files through another signature. --golden replays the golden vectors, with files too.
    --benchmark alone measures cold starts, calls and memory; with --against OTHER (again and again) also the ratio of
    OTHER's calls to BUNDLE's, interleaved in one run. With files, it times a call on the first of them.
    --threads N gives the interpreter so many threads, --kernels reference its plain kernels. --variables shows the
    variables that the model keeps; --load STATE.npz gives them their values first, --save STATE.npz writes them last.
    --runtime is any that `toolchains` lists; by default the recipe's. --runtime all replays the golden vectors on every
    one, with default and reference kernels and on 1 to --threads N threads (default: as many as cores), prints a table,
    and writes it beside the bundle, as <id>.emulate.json. The kit's own harness runs on the bundle's data; --allow-code
    runs the bundle's harness and packages instead. Exit code 4: a file is not as it was built, or a golden vector is
    off; of --runtime all, on the app's own runtime.
    --accelerator gpu is LiteRT's GPU accelerator over a software Vulkan driver (Linux, x86_64; 55 MB are fetched once),
    in float32 and in float16, on the golden vectors, on inputs that are drawn as an app draws them, and on the files:
    how far the outputs are from the CPU's, as an estimate. Exit code 4: it is off, or LiteRT refuses the model; 5: its
    driver cannot be had here, or ended.
    --arch arm64 is the runtime's own arm64 kernels on an emulated CPU (Linux, x86_64; about 110 MB are fetched once),
    on the golden vectors and on the files: which outputs are the same bits as this machine's, and how far the others
    are off. --cpu is cortex-a53, cortex-a76 (by default) or neoverse-n2. It is 30 to 800 times slower, and says how
    slow it will be. Exit code 4: an output is off; 5: the emulator cannot be had here.
    --profile says operator by operator where the time is, by LiteRT's own profiler, who runs it and why not XNNPACK,
    and where the error is: beside the float32 bundle or .tflite that --against names, or as scheme auto measured it.
    It takes the golden vectors, or the files. Exit code 4: LiteRT refuses the model.
    --compare --against FLOAT prints the outputs of the files beside those of the float32 bundle or .tflite, worst
    samples first.
    --serve prints the address of a page on this machine alone: drop a file there, or use the camera, and see what the
    model says, with boxes and masks over the image; beside each --against OTHER, such as the float model's bundle.
    --port N names its port, --open opens it in the browser. Ctrl-C ends it with exit code 0.
    """
    files = [*input, *words_behind_dashes()]
    options = {
        "json": json, "top": top, "benchmark": benchmark, "signature": signature, "variables": variables,
        "load": load, "save": save, "golden": golden, "threads": threads, "kernels": kernels, "jobs": jobs,
        "jsonl": jsonl, "csv": csv, "save-outputs": save_outputs,
    }  # fmt: skip
    given = [name for name, value in options.items() if value]
    given += [
        name
        for name, value in {"runtime": runtime, "against": against, "labels": labels, "allow-code": allow_code}.items()
        if value
    ]
    _refuse_threads(threads)
    _refuse_inside(Path(bundle), {"save": save, "save-outputs": save_outputs})
    _refuse_empty_labels(labels)
    of_their_own = ["profile"] * profile + ["compare"] * compare
    from kit.commands.emulate_serve import PageOptions, emulate_served, refuse_page_options

    if serve:
        from kit.serving.models import Settings

        given += ["files"] * bool(files) + of_their_own
        given += [name for name, value in {"accelerator": accelerator, "arch": arch, "cpu": cpu}.items() if value]
        settings = Settings(runtime, signature, top or 5, threads or 1, kernels or "default")
        emulate_served([Path(name) for name in (bundle, *against)], PageOptions(port, open, debug), settings, given)
        return
    refuse_page_options(port, browser=open)
    if arch or cpu:
        from kit.commands.emulate_elsewhere import emulate_arm64

        given += ["accelerator"] * bool(accelerator) + of_their_own
        emulate_arm64(Path(bundle), arch, cpu, given, runtime, signature, files, json=json)
        return
    if accelerator:
        from kit.commands.emulate_elsewhere import emulate_gpu

        emulate_gpu(Path(bundle), accelerator, [*given, *of_their_own], signature, files, json=json)
        return
    if profile or compare:
        from kit.commands.emulate_more import Beside, emulate_compare, emulate_profile

        asked = Beside(signature, runtime, threads, tuple(against))
        run = emulate_compare if compare else emulate_profile
        run(Path(bundle), [*given, *["profile"] * (profile and compare)], asked, files, json=json)
        return
    if runtime == "all":
        from kit.commands.emulate_more import emulate_all_runtimes

        others = [f"--{name}" for name in given if name not in {"json", "threads", "golden", "runtime"}]
        emulate_all_runtimes(Path(bundle), threads, [*others, *["files"] * bool(files)], json=json)
        return
    of_harness = [f"--{name}" for name in given if name not in {"json", "benchmark", "threads", "runtime", "against"}]
    of_harness += ["files"] * bool(files)
    if against and (of_harness or not benchmark):
        raise _misplaced_against(of_harness, benchmark=benchmark)
    if benchmark and not of_harness:
        _benchmark([Path(name) for name in (bundle, *against)], runtime, threads or 1, json=json)
        return
    arguments = [word for name, value in options.items() if value for word in _option(name, value)]
    if labels:
        from kit.commands.emulate_more import emulate_with_labels

        words = [*arguments, "--", *files]
        emulate_with_labels(Path(bundle), Path(labels), runtime, words, allow_code=allow_code)
    else:
        _run(Path(bundle), runtime, [*arguments, *(["--", *files] if files else [])], allow_code=allow_code)


def _refuse_threads(threads: int) -> None:
    """Raise RecipeError for what is no number of threads, 0 being none given: an interpreter starts as many."""
    if not 0 <= threads <= MOST_THREADS:
        raise RecipeError(
            f"--threads {threads} is not a number from 1 to {MOST_THREADS}", "give one, such as 4, or leave it out"
        )


def _refuse_inside(bundle: Path, files: Mapping[str, str]) -> None:
    """Raise RecipeError where a file that an option names would lie in the bundle, which is as it was built."""
    for option, name in files.items():
        if name and bundle.resolve() in Path(name).resolve().parents:
            raise RecipeError(f"--{option} {name}: that is in the bundle", "name a file in another place")


def _refuse_empty_labels(labels: str | None) -> None:
    """Raise RecipeError for --labels "", such as an unset variable of a shell; None is none given."""
    if labels == "":
        raise RecipeError("--labels: the name is empty", "name the file or folder of the truth, or leave --labels out")


def _run(bundle: Path, runtime: str, arguments: list[str], *, allow_code: bool) -> None:
    """Run the harness, and end with its exit code."""
    from kit.bundle.manifest import unchanged
    from kit.emulation.run import run_harness
    from kit.progress import Reporter

    with unchanged(bundle):
        code = run_harness(bundle, runtime, arguments, Reporter().note, allow_code=allow_code)
    if code:
        raise SystemExit(code)


def _option(name: str, value: object) -> list[str]:
    """Return an option as the harness takes it: a word alone where it is on, else with its value."""
    return [f"--{name}"] if value is True else [f"--{name}", str(value)]


def _misplaced_against(given: list[str], *, benchmark: bool) -> RecipeError:
    if not benchmark and given:
        return RecipeError(
            f"--against names the float model, and with {given[0]} neither --compare nor --profile is given",
            "add --compare, or --profile",
        )
    if not benchmark:
        return RecipeError(
            "--against names another bundle, and none of --benchmark, --profile, --compare and --serve is given",
            "add --benchmark",
        )
    return RecipeError(f"--against goes with no {given[0]}: it times golden vectors", f"leave {given[0]} out")


def _benchmark(bundles: list[Path], runtime: str, threads: int, *, json: bool) -> None:
    """Measure bundles and print what came of it."""
    from contextlib import ExitStack
    from dataclasses import asdict

    from kit.bundle.manifest import unchanged
    from kit.emulation.benchmark import lines, run_benchmark
    from kit.progress import Reporter

    with ExitStack() as stack:
        for each in bundles:
            stack.enter_context(unchanged(each))
        measured = run_benchmark(bundles, runtime, threads, Reporter().note)
    print_json(asdict(measured)) if json else sys.stdout.writelines(f"{line}\n" for line in lines(measured))


@command
def inspect(ctx: Context, file: str, weights: str = "", json: bool = False, debug: bool = False) -> None:
    """Say what a file is and holds, without TensorFlow: a Keras file, a SavedModel, a .tflite, a recipe, a bundle.

    Who wrote it, signature, layers with shapes and parameters, operators with versions, bytes by layer, scales,
    metadata, and what code it carries or asks for; for an image model what the outputs may be: docs/inspect.md.
    --weights PATTERN, such as 'head/*', shows values and statistics of the weights by name: .keras, .h5, .npz, .tflite.
    Exit codes: 0 read, 2 a recipe or a bundle that is none, 3 a model that is damaged or none.
    """
    if weights:
        from dataclasses import asdict

        from kit.bundle.tensor_table import read_named
        from kit.bundle.whole import MANIFEST
        from kit.source_model.weights import find_weights, lines
        from kit.tflite.reader import is_tflite

        converted = (Path(file) / MANIFEST).is_file() or is_tflite(Path(file))
        found = find_weights(Path(file), weights, read_named(Path(file)) if converted else None)
        print_json([asdict(each) for each in found]) if json else sys.stdout.writelines(f"{x}\n" for x in lines(found))
        return
    from kit.inspection.files import show

    shown = show(Path(file))
    print_json(shown.document) if json else sys.stdout.writelines(f"{line}\n" for line in shown.lines)


@command
def diff(ctx: Context, a: str, b: str, html: str = "", json: bool = False, debug: bool = False) -> None:
    """Say what it means for an app that B takes the place of A: two bundles, two .tflite files, or one of each.

    Breaking are names, order, shapes, types, labels, pre-processing and signatures that change, and operators that the
    app's runtime lacks; size, measures and other numbers are compatible. Then comes what differs in the file. Where one
    is no bundle, the .tflite files alone are compared. --html FILE writes it as a page, too. `gitdiff` is for git.
    Exit codes: 0 the same bytes, and the same for an app; 6 different; 2, 3 or 4 where one cannot be read.
    """
    from kit.comparison.report import compare_paths, lines, page, to_json

    found = compare_paths(Path(a), Path(b))
    if html:
        from kit.files import writable, write_whole

        with writable(Path(html).parent):
            write_whole(Path(html), page(found).encode())
    print_json(to_json(found)) if json else sys.stdout.writelines(f"{line}\n" for line in lines(found))
    if not found.same:
        raise SystemExit(6)


@command
def gitdiff(ctx: Context, debug: bool = False) -> None:
    """Be git's diff driver for models: `git config diff.kit.command 'kit gitdiff --'`, and `*.tflite diff=kit`.

    What git appends stands behind `--`: PATH OLD OLD-HEX OLD-MODE NEW NEW-HEX NEW-MODE. A .tflite is compared as
    `diff` does; other models line by line, as `inspect` prints them. Exit codes: 0, or git would stop; 2 usage.
    """
    from kit.comparison.git import driver_lines

    sys.stdout.writelines(f"{line}\n" for line in driver_lines(words_behind_dashes()))


@command
def explore(
    ctx: Context,
    bundle: str,
    out: str = "",
    host: str = "localhost",
    port: int = 8080,
    no_browser: bool = False,
    debug: bool = False,
) -> None:
    """Open a bundle's model in Model Explorer, with error, layer and bytes of each operator as node data.

    Model Explorer is the package ai-edge-model-explorer, which is installed beside the kit. The errors of layers are
    those of a search (scheme = "auto", tune = true): <bundle>.search.json. --out FOLDER writes the node data as files
    for a Model Explorer elsewhere, and opens nothing. --port 8080 is the first free one from there on; --no-browser
    serves alone. Ctrl-C ends it. Exit codes: 0 written, or ended, 2 usage or no bundle, 3 the model is damaged,
    5 Model Explorer is missing.
    """
    from kit.exploration.node_data import explored
    from kit.exploration.serve import require, serve

    found = explored(Path(bundle))
    sys.stderr.writelines(f"{note}\n" for note in found.notes)
    if not out:
        require()
        serve(found, host, port, browser=not no_browser)
        return
    from kit.files import writable, write_whole

    for column in found.columns:
        place = Path(out) / f"{found.name}.{column.word}.json"
        with writable(place.parent):
            write_whole(place, column.text().encode())
        sys.stdout.write(f"{place}\n")
