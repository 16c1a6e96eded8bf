"""From a recipe to a bundle, and what follows from a build: build, freeze, verify, matrix."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kit.commands.command import command, memory_bytes, print_json, recipe_file, seconds
from kit.errors import CheckError

if TYPE_CHECKING:
    from invoke.context import Context

    from kit.build.pipeline import Options
    from kit.build.plan import Plan


@command
def build(
    ctx: Context,
    recipe: str,
    engine: str = "auto",
    tensorflow: str = "",
    scheme: str = "",
    out: str = "dist",
    memory: str = "8g",
    timeout: int = 3600,
    predictions: str = "",
    json: bool = False,
    debug: bool = False,
) -> None:
    """Convert a recipe's model, check it, and write its bundle to OUT/<id>.

    --engine is auto, docker or local; --memory (containers) such as 8g and --timeout in seconds bound the
    conversion. --scheme takes another [quantize] scheme than the recipe's, without what the recipe says beside its own
    scheme: quantizer, layers, rounding, io and the like. --predictions FILE.npz is for `matrix`: it keeps the outputs
    of every evaluation sample, real values.
    Exit codes: 0 done, 2 recipe, 3 model, 4 a check refused, 5 engine, 130 interrupted.
    """
    from kit.build.cache_key import build_key

    path = recipe_file(recipe)
    identity, key = build_key(path, tensorflow, scheme) or ("", "")
    target = Path(out) / identity
    if identity and _is_built(target, key, predictions):
        if json:
            from kit.bundle.manifest import read_manifest

            print_json(read_manifest(target).to_json())
        else:
            sys.stdout.write(f"{target} is up to date: nothing it depends on has changed\n")
        return
    bounds = memory_bytes(memory), seconds(timeout)
    plan = _plan(path, tensorflow, key, scheme)
    from kit.build.pipeline import Options
    from kit.engine import Limits

    options = Options(Path(out), engine, Limits(*bounds), Path(predictions) if predictions else None)
    _build(plan, options, json=json)


def _is_built(target: Path, key: str, predictions: str) -> bool:
    """Say whether the bundle of that key is there as it was written, with what --predictions names."""
    from kit.bundle.whole import MANIFEST, is_recorded

    if not predictions and is_recorded(target, key):
        return True
    if not (target / MANIFEST).is_file():
        return False
    from kit.bundle.manifest import has_outputs, is_intact

    return is_intact(target, key) and (not predictions or has_outputs(target, key, Path(predictions)))


def _plan(path: Path, tensorflow: str, key: str, scheme: str = "") -> Plan:
    """Read the recipe and see what it comes to. What refuses is imported when it is needed: most of it takes long."""
    from kit.recipe.load import load_recipe

    recipe = load_recipe(path)
    recipe = recipe.with_scheme(scheme) if scheme else recipe
    from kit.build.plan import make_plan

    return make_plan(recipe.with_tensorflow(tensorflow) if tensorflow else recipe, key)


def _build(plan: Plan, options: Options, *, json: bool) -> None:
    from kit.build.checks import failures, sentence
    from kit.build.layer_table import worst_words
    from kit.build.pipeline import build
    from kit.build.report import build_json, print_built
    from kit.progress import Reporter
    from kit.search.auto import Search

    reporter = Reporter()
    quantize = plan.recipe.quantize
    search = Search() if quantize.scheme == "auto" or quantize.tune else None
    try:
        built = build(plan, options, reporter, search)
    finally:
        reporter.close()
    if search is not None and search.found is not None and built.bundle is not None:
        from kit.search.chart import write_chart
        from kit.search.record import write_search
        from kit.search.table import print_search

        write_search(search.found, built.bundle)
        chart = write_chart(search.found, built.bundle)
        if not json:
            print_search(search.found)
            sys.stdout.write(f"chart:  {chart}\n" if chart else "")
    if json:
        print_json(build_json(built))
    else:
        print_built(built)
    failed = failures(built.judged.verdicts)
    if failed:
        what = "; ".join(filter(None, [*map(sentence, failed), worst_words(built.layers)]))
        raise CheckError(f"{plan.recipe.path}: refused, no bundle was written: {what}", failed[0].hint)


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
    from dataclasses import asdict

    plan = _plan(recipe_file(recipe), tensorflow, "")
    from kit.build.freeze import freeze, lines
    from kit.engine import Limits
    from kit.progress import Reporter

    reporter = Reporter()
    try:
        folder, contract = freeze(plan, engine, Path(out), Limits(memory_bytes(memory), seconds(timeout)), reporter)
    finally:
        reporter.close()
    if json:
        print_json(asdict(contract))
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines(folder, contract))


@command
def verify(
    ctx: Context,
    bundle: str,
    model: list[str] = [],
    engine: str = "auto",
    memory: str = "8g",
    timeout: int = 3600,
    allow_code: bool = False,
    json: bool = False,
    debug: bool = False,
) -> None:
    """Build a bundle again from its own lock and compare: bytes, then structure, then numbers.

    Needs the bundle and the source model alone: --model, once for each of several, where it is not at hand; a file of
    the bundle that was changed is named without it. Exit code 6 names the first check that fails. --allow-code lets the
    model, the bundle's code and its packages run in the local engine: what the bundle says of that itself counts for
    nothing.
    """
    from dataclasses import asdict

    from kit.build.verify import find_models, verify, verify_files
    from kit.bundle.manifest import unchanged
    from kit.engine import Limits, choose_engine
    from kit.errors import DifferenceError, RecipeError
    from kit.progress import Reporter

    folder, reporter = Path(bundle), Reporter()
    limits = Limits(memory_bytes(memory), seconds(timeout))
    try:
        sources = find_models(folder, model)
        chosen = choose_engine(engine, reporter.note)
        with unchanged(folder):
            report = verify(folder, sources, chosen, limits, reporter, allow_code=allow_code)
    except RecipeError:  # no model is at hand: a changed file says more than that
        report = verify_files(folder)
        if not report.broken:
            raise
    finally:
        reporter.close()
    if json:
        print_json(asdict(report))
    for check in () if json else report.checks:
        sys.stdout.write(f"{check.name:10} {'holds' if check.holds else 'FAILS'}  {check.lines[0]}\n")
        sys.stdout.writelines(f"{'':17} {line}\n" for line in check.lines[1:])
    if report.broken:
        raise DifferenceError(f"{folder}: {report.broken.name}: {report.broken.lines[0]}", report.broken.hint)


@command
def matrix(
    ctx: Context,
    recipe: str,
    tensorflow: str = "",
    scheme: str = "",
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

    --tensorflow is A,B,... or all; --scheme is A,B,...: each of these [quantize] schemes with each version, as
    `build --scheme` builds it. Each version is a `build` below OUT/<id>.matrix/<version>; one that is unchanged
    is not built again, and one that fails is a row with its cause. --jobs is how many run at once: by default as many
    as there are cores, and 3 GB of free memory for each. The page is --html FILE, or OUT/<id>.matrix/matrix.html.
    Exit codes: 0 where at least one version was built, else the gravest of theirs: 3 model, 4 check, 5 engine.
    2 recipe or usage, before anything runs; 130 interrupted.
    """
    from kit.errors import RecipeError
    from kit.files import writable, write_whole
    from kit.matrix.builds import BUILD_MEMORY, BuildOptions, make_request
    from kit.matrix.compare import raise_if_none_built, run_matrix, to_json
    from kit.matrix.page import render_page
    from kit.matrix.parallel import default_jobs
    from kit.matrix.report import print_matrix
    from kit.progress import Reporter

    memory_bytes(memory), seconds(timeout)  # refused here, not by each build
    if jobs < 0:
        raise RecipeError(f"--jobs {jobs} is not a number of builds", "give 1 or more, or leave it out")
    options = BuildOptions(engine, memory, timeout)
    request = make_request(
        recipe_file(recipe), tensorflow, Path(out), options, jobs or default_jobs(BUILD_MEMORY), scheme
    )
    result = run_matrix(request, Reporter().note)
    page = Path(html) if html else request.folder / "matrix.html"
    with writable(page.parent):
        write_whole(page, render_page(result).encode())
    print_json(to_json(result)) if json else print_matrix(result, str(page))
    raise_if_none_built(result)
