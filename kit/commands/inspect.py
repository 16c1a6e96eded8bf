"""Look at files: inspect, diff; and run a bundle on files: emulate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kit.commands.command import command, print_json, words_behind_dashes

if TYPE_CHECKING:
    from invoke.context import Context


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
    golden: bool = False,
    threads: int = 0,
    accelerator: str = "",
    allow_code: bool = False,
    debug: bool = False,
) -> None:
    """Run a bundle on a LiteRT interpreter: on its golden vectors, or on files.

    Files come with --input FILE (again and again), or after `--`: emulate BUNDLE -- a.png 'my photo.png' album
    Every word behind `--` is a file, also one that begins with a dash. A folder stands for the images, .npz, .npy, .raw
    and .bin files in it, sorted by name, without hidden files and subfolders. A quoted 'album/*.png' is expanded.
    A file that cannot be used is one line on stderr, and an entry of "errors" in --json; the outputs of the others are
    printed, and the exit code is 2. --save then writes nothing.
    --signature KEY runs the files through another signature. --golden replays the golden vectors, with files too.
    --threads N gives the interpreter so many threads. --variables shows the variables that the model keeps;
    --load STATE.npz gives them their values first, --save STATE.npz writes them at last.
    --runtime is any that `toolchains` lists; by default the recipe's. The kit's own harness runs on the bundle's data;
    --allow-code runs the bundle's harness and packages instead. Exit code 4: a file is not as it was built, or a golden
    vector is off.
    --accelerator gpu is LiteRT's GPU accelerator over a software Vulkan driver (Linux, x86_64; 55 MB are fetched once),
    in float32 and in float16, on the golden vectors, on inputs that are drawn as an app draws them, and on the files:
    how far the outputs are from the CPU's, as an estimate. Exit code 4: it is off, or LiteRT refuses the model; 5: its
    driver cannot be had here, or ended.
    """
    if accelerator:
        ways = {"benchmark": benchmark, "variables": variables, "load": load, "save": save, "threads": threads,
                "top": top, "allow-code": allow_code, "runtime": runtime}  # fmt: skip
        _emulate_gpu(Path(bundle), accelerator, [name for name, given in ways.items() if given], signature,
                     [*input, *words_behind_dashes()], json=json)  # fmt: skip
        return
    from kit.bundle.manifest import unchanged
    from kit.emulation.run import run_harness
    from kit.progress import Reporter

    files = [*input, *words_behind_dashes()]
    arguments = [
        *(["--json"] if json else []),
        *(["--top", str(top)] if top else []),
        *(["--benchmark"] if benchmark else []),
        *(["--signature", signature] if signature else []),
        *(["--variables"] if variables else []),
        *(["--load", load] if load else []),
        *(["--save", save] if save else []),
        *(["--golden"] if golden else []),
        *(["--threads", str(threads)] if threads else []),
        *(["--", *files] if files else []),
    ]
    with unchanged(Path(bundle)):
        code = run_harness(Path(bundle), runtime, arguments, Reporter().note, allow_code=allow_code)
    if code:
        raise SystemExit(code)


def _emulate_gpu(
    bundle: Path, accelerator: str, others: list[str], signature: str, files: list[str], *, json: bool
) -> None:
    """Run a bundle on the GPU. others: options that are given, and are for the interpreter."""
    from kit.errors import RecipeError

    if accelerator != "gpu":
        raise RecipeError(f"--accelerator {accelerator!r} is not known", "write --accelerator gpu, or leave it out")
    if others:
        what = " and ".join(f"--{name}" for name in others)
        raise RecipeError(f"{what} does not go with --accelerator gpu", f"leave {what} out")
    from kit.bundle.manifest import unchanged
    from kit.emulation.gpu import run_gpu
    from kit.emulation.gpu_report import judge, lines_of
    from kit.progress import Reporter

    reporter = Reporter()
    try:
        with unchanged(bundle):
            report = run_gpu(bundle, files, reporter.note, signature=signature)
    finally:
        reporter.close()
    print_json(report.to_json()) if json else sys.stdout.writelines(f"{line}\n" for line in lines_of(report))
    sys.stderr.writelines(f"emulate: {error.error}; {error.hint}\n" for error in report.errors)
    judge(report)
    if report.errors:
        raise SystemExit(2)


@command
def inspect(ctx: Context, file: str, weights: str = "", json: bool = False, debug: bool = False) -> None:
    """Say what a model file says of itself, without TensorFlow: format, Keras version, inputs; all of a .tflite.

    Layers that turn text into ids are described, and where an image goes in, what the outputs may be: boxes, a mask,
    keypoints, and why. For files of Keras 3 as far as they say the outputs' shapes.
    --weights PATTERN, such as 'head/*', shows values and statistics of the weights by name: .keras, .h5, .npz, .tflite.
    """
    from dataclasses import asdict

    from kit.bounded import printable
    from kit.build.head_guess import guesses, source_shapes, tflite_shapes
    from kit.source_model.model_file import read_model_file
    from kit.source_model.text_layer import find_text_layers
    from kit.tflite.describe import describe
    from kit.tflite.model import to_json
    from kit.tflite.reader import is_tflite, read_tflite

    if weights:
        from kit.source_model.weights import find_weights, lines

        found = find_weights(Path(file), weights)
        print_json([asdict(each) for each in found]) if json else sys.stdout.writelines(f"{x}\n" for x in lines(found))
        return
    if is_tflite(Path(file)):
        model = read_tflite(Path(file))
        guessed = guesses(tflite_shapes(model))
        if json:
            print_json(to_json(model) | {"guessed": guessed})
        else:
            sys.stdout.writelines(f"{line}\n" for line in (*describe(model), *(["", *guessed] if guessed else [])))
        return
    source = read_model_file(Path(file))
    texts, guessed = find_text_layers(source), guesses(source_shapes(source))
    description = asdict(source) | {"path": file}
    if json:
        print_json(description | {"texts": [asdict(text) for text in texts], "guessed": guessed})
        return
    rows = [
        *description.items(),
        *(("text", text.sentence) for text in texts),
        *(("guessed", each) for each in guessed),
    ]
    for key, value in rows:
        sys.stdout.write(f"{key:10} {printable(str(value))}\n")


@command
def diff(ctx: Context, a: str, b: str, json: bool = False, debug: bool = False) -> None:
    """Compare two .tflite files, or the ones of two bundles. Exit codes: 0 the same bytes, 6 different."""
    from kit.tflite.diff import compare, table
    from kit.tflite.reader import read_tflite, tflite_path

    files = [read_tflite(tflite_path(Path(name))) for name in (a, b)]
    found = compare(files[0], files[1])
    if json:
        print_json(found.to_json() | {"a": files[0].path, "b": files[1].path})
    else:
        sys.stdout.writelines(f"{line}\n" for line in table(files[0], files[1], found))
    if not found.same:
        raise SystemExit(6)
