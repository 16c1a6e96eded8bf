"""Metrics of the user's own: what they get, what they may return, where they run, and what is said of their faults."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from worlds import DIGITS, run_kit

from kit.build.metric_checks import drop, judge_metrics, metric_words
from kit.build.metrics import OutputMeasure
from kit.build.own_metrics import Asked, measure_own, metric_place, refuse_missing_functions
from kit.build.samples import _refuse_without_truth
from kit.build.truth import OutputTruth
from kit.engine import Limits
from kit.engine.local import LocalEngine
from kit.engine.own_metrics import MetricPlace
from kit.engine.walls import probe
from kit.errors import RecipeError
from kit.metrics.scorer import MetricMeasure
from kit.recipe.checks import Checks, MetricCheck
from kit.recipe.load import load_recipe
from kit.recipe.schema import Recipe
from kit.shared.job import JobError
from kit.shared.npz import save_npz
from kit.shared.own_metrics import MetricJob, MetricRequest, MetricValue, dump
from kit.toolchains.toolchain import find_toolchain
from kit.worker.own_metrics import run_own_metrics

MISSES = "def misses(truth, outputs):\n    return (outputs.argmax(-1) != truth).mean()\n"
TRUTH = np.arange(40) % 3
BEFORE = np.eye(3, dtype=np.float32)[TRUTH]
AFTER = np.eye(3, dtype=np.float32)[np.where(np.arange(40) < 10, 0, TRUTH)]


def run(folder: Path, code: str, after: np.ndarray = AFTER, function: str = "misses") -> MetricValue:
    """Run one function here, as the worker does; return what it gives."""
    (folder / "metrics.py").write_text(code, "utf-8")
    job = MetricJob("own.py", (MetricRequest(function, "y"),))
    (folder / "metrics.json").write_text(dump(job), "utf-8")
    save_npz(folder / "arrays.npz", {"truth/0": TRUTH, "before/0": BEFORE, "after/0": after})
    (value,) = run_own_metrics(folder, lambda _: None).values
    return value


def test_a_function_gets_the_truth_and_both_outputs_and_may_change_neither(tmp_path: Path) -> None:
    value = run(tmp_path, MISSES)
    wrong = float(np.mean(AFTER.argmax(-1) != TRUTH))
    assert (value.before, value.after, value.why) == (0.0, wrong, "")
    assert len(value.differences) == 20 and len(set(value.differences)) > 3
    careless = "def misses(truth, outputs):\n    truth[:] = 0\n    outputs[:, 0] = 2\n    return outputs.sum()\n"
    assert run(tmp_path, careless).before == 2 * 40 + BEFORE[:, 1:].sum()
    assert np.array_equal(TRUTH, np.arange(40) % 3)
    types = "def misses(truth, outputs):\n    return outputs.dtype.itemsize + 100 * truth.ndim + 1000 * outputs.ndim\n"
    assert run(tmp_path, types).before == 4 + 100 + 2000


def test_what_is_no_finite_number_is_no_value_and_says_why(tmp_path: Path) -> None:
    value = run(tmp_path, "import math\ndef misses(truth, outputs):\n    return math.nan\n")
    assert (value.before, value.after, value.why) == (None, None, "it returns nan")
    broken = AFTER.copy()
    broken[3, 1] = np.inf
    value = run(tmp_path, MISSES, broken)
    assert (value.before, value.after, value.why) == (0.0, None, "the output holds NaN or infinity")


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        (
            "x = 1\ndef hits(truth, outputs): ...\n",
            "own.py: it has no function misses",
            "misses(truth, outputs): ...; there is: hits",
        ),
        ("def misses(truth, outputs): return None\n", "returns None, and not a number", "return one number: float"),
        (
            "def misses(truth, outputs): return outputs.mean(0)\n",
            "returns an array of [3], and not",
            "return one number: float",
        ),
        ("def misses(truth, outputs): return 'much'\n", "returns a str, and not a number", "return one number: float"),
        ("def misses(truth, outputs): return True\n", "returns a bool, and not a number", "return one number: float"),
        (
            "def inner(a):\n    return 1 / 0\n\ndef misses(truth, outputs):\n    return inner(truth)\n",
            "own.py, line 2: misses on the float model's values of output 'y': ZeroDivisionError: division by zero",
            "correct that line",
        ),
        ("import os\ndef misses(truth): return 1\n", "own.py: misses on the float model's values", "correct that line"),
        ("import nothing_here\n", "own.py, line 1: ModuleNotFoundError", "nothing_here is not in the toolchain"),
        ("raise SystemExit(3)\n", "own.py, line 1: SystemExit: 3", "correct that line"),
        ("def misses(:\n", "own.py, line 1: SyntaxError: ", "correct that line"),
    ],
)
def test_a_fault_of_the_code_is_named_with_its_line(tmp_path: Path, code: str, message: str, hint: str) -> None:
    with pytest.raises(JobError) as caught:
        run(tmp_path, code)
    refusal = caught.value.refusal
    assert refusal.kind == "recipe"
    assert message in refusal.message and hint in refusal.hint, refusal
    assert run(tmp_path, MISSES).before == 0.0, "a file that is right runs"


def test_a_fault_on_the_files_values_says_so(tmp_path: Path) -> None:
    code = "def misses(truth, outputs):\n    assert outputs[1, 1], 'odd'\n    return 1\n"
    with pytest.raises(JobError, match="line 2: misses on the file's values of output 'y': AssertionError: odd"):
        run(tmp_path, code)
    picky = "def misses(truth, outputs):\n    assert truth[0] == 0 and truth[1] == 1\n    return 1\n"
    assert len(run(tmp_path, picky).differences) < 20, "a resample that raises is left out"


# ---------------------------------------------------------------- the recipe

RECIPE = """[model]
path = '{digits}/digits.keras'
id = 'digits'
{model}
[toolchain]
tensorflow = '2.19.1'
[quantize]
{quantize}
representative = '{digits}/samples.npz'
[[inputs]]
name = 'image'
kind = 'image'
mean = [0.0]
std = [255.0]
[[outputs]]
name = 'digit'
kind = 'classes'
labels = '{digits}/labels.txt'
[checks]
data = '{digits}/test.npz'
code = 'own.py'
[[checks.metrics]]
output = 'digit'
metric = 'code:{function}'
lower_is_better = true
{limits}
"""


def write(folder: Path, code: str | None = MISSES, function: str = "misses", model: str = "", **more: str) -> Path:
    """Write a recipe of the digits with a metric of its own; return its path."""
    if code is not None:
        (folder / "own.py").write_text(code, "utf-8")
    keys = {"limits": "max_drop = 0.02", "quantize": "scheme = 'int8'"} | more
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(digits=DIGITS, function=function, model=model, **keys), "utf-8")
    return path


def recipe_of(folder: Path, code: str | None = MISSES, **more: str) -> Recipe:
    """Return that recipe, read."""
    return load_recipe(write(folder, code, **more))


def test_what_the_file_does_not_have_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"line 21: \[checks\] code = 'own.py': there is no such file"):
        recipe_of(tmp_path, None)
    with pytest.raises(RecipeError, match=r"own.py: \[checks\] code: it has no function mises") as caught:
        refuse_missing_functions(recipe_of(tmp_path, function="mises"))
    assert caught.value.hint == "write it, def mises(truth, outputs): ...; there is: misses"
    with pytest.raises(RecipeError, match=r"own.py, line 2: \[checks\] code: it is no Python: "):
        refuse_missing_functions(recipe_of(tmp_path, "x = 1\ndef misses(:\n"))
    for code in (MISSES, "misses = lambda truth, outputs: 1\n", "from numpy import sum as misses\n",
                 "from numpy import *\n"):  # fmt: skip
        refuse_missing_functions(recipe_of(tmp_path, code))


def test_the_local_engine_runs_it_only_where_the_recipe_trusts_it(tmp_path: Path) -> None:
    toolchain = find_toolchain("2.19.1")
    with pytest.raises(RecipeError, match="and the local engine is no sandbox") as caught:
        metric_place(recipe_of(tmp_path), toolchain, LocalEngine(), Limits())
    assert caught.value.hint == "build it in a container (--engine docker), or trust it: [model] allow_code = true"
    trusted = recipe_of(tmp_path, model="allow_code = true")
    assert metric_place(trusted, toolchain, LocalEngine(), Limits()) is not None


def test_truth_in_files_is_refused_and_taken_as_an_array(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path)
    with pytest.raises(RecipeError, match="takes what is true of output 'digit' as an array, and masks is files") as no:
        _refuse_without_truth(recipe, {"digit": OutputTruth("masks", masks=(tmp_path,))})
    assert no.value.hint == "save it as the array y/digit in the .npz"
    _refuse_without_truth(recipe, {"digit": OutputTruth("test.npz: 'y/digit'", TRUTH)})
    with pytest.raises(RecipeError, match="'code:misses' of output 'digit' needs its truth"):
        _refuse_without_truth(recipe, {})


# ---------------------------------------------------------------- where it runs


def measured(folder: Path, code: str, seconds: float = 60) -> MetricMeasure:
    """Run a function in the toolchain, behind the walls; return its measure."""
    (folder / "own.py").write_text(code, "utf-8")
    engine, toolchain = LocalEngine(), find_toolchain("2.19.1")
    engine.prepare(toolchain, print)
    place = MetricPlace(engine, toolchain, folder / "own.py", Limits(seconds=seconds))
    check = MetricCheck(output="y", metric="code:misses", max_drop=0.02, lower_is_better=True)
    return measure_own(place, [Asked(check, TRUTH, BEFORE, AFTER)])["y", "code:misses"]


def test_a_metric_of_ones_own_has_an_interval_and_the_sign_that_the_recipe_gives_it(tmp_path: Path) -> None:
    measure = measured(tmp_path, MISSES)
    assert (measure.before, measure.samples, measure.lower_is_better) == (0.0, 40, True)
    assert measure.after == pytest.approx(6 / 40)
    lost = drop(measure)
    assert lost is not None and lost[0] == pytest.approx(0.15)
    assert lost[1] is not None and lost[2] is not None and lost[1] < 0.15 < lost[2]
    assert "0 before -> 0.15 after (+0.15, 95 % interval" in metric_words(measure)
    check = MetricCheck(output="y", metric="code:misses", max_drop=0.02, max=0.2, lower_is_better=True)
    judged = list(judge_metrics(Checks(metrics=[check]), OutputMeasure("y", 0.0, 0.0, metrics=(measure,))))
    assert [(each.name, each.value, each.passed) for each in judged] == [
        ("max_drop of code:misses (y)", "0.15 (0 -> 0.15)", False),
        ("code:misses (y)", "0.15", True),
    ]


WRITES = "def misses(truth, outputs):\n    open('{place}', 'w').write('here')\n    return 1\n"


@pytest.mark.skipif(not probe().landlock, reason="no Landlock in this kernel")
def test_it_writes_nothing_outside_of_its_job(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"own.py, line 2: misses .*PermissionError"):
        measured(tmp_path, WRITES.format(place=tmp_path / "made"))
    assert not (tmp_path / "made").exists()


def test_one_that_hangs_is_ended_and_one_that_ends_the_process_is_named(tmp_path: Path) -> None:
    what = "it was to run misses of own.py on output 'y'"
    # On a busy machine Python itself may take that long to start.
    with pytest.raises(RecipeError, match=r"it was to run (misses of )?own.py.*, and did not end within 3 s") as caught:
        measured(tmp_path, "def misses(truth, outputs):\n    import time; time.sleep(99)\n", seconds=3)
    assert "without a loop over samples" in caught.value.hint
    with pytest.raises(RecipeError, match=f"{what}, and the process ended without a result: .*SIGSEGV"):
        measured(tmp_path, "import os\ndef misses(truth, outputs):\n    os.kill(os.getpid(), 11)\n")
    with pytest.raises(RecipeError, match="ended without a result: exit status 0") as caught:
        measured(tmp_path, "import os\ndef misses(truth, outputs):\n    os._exit(0)\n")
    assert caught.value.hint.startswith("correct what ends the process there")
    assert measured(tmp_path, MISSES).before == 0.0


def kit(recipe: Path, *more: str, code: int = 0) -> str:
    """Build a recipe beside it; return what was printed."""
    done = run_kit("build", str(recipe), "--engine", "local", "--out", str(recipe.parent / "dist"), *more)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


TRUSTED = "allow_code = true"


def test_a_build_is_judged_by_it_and_verify_needs_no_leave_for_it(tmp_path: Path) -> None:
    said = kit(write(tmp_path, model=TRUSTED))
    assert "max_drop of code:misses (digit)" in said
    manifest = json.loads((tmp_path / "dist/digits/bundle.json").read_text("utf-8"))
    (metric,) = manifest["measures"]["outputs"][0]["metrics"]
    assert (metric["name"], metric["lower_is_better"]) == ("code:misses", True)
    (output,) = manifest["measures"]["outputs"]
    assert metric["after"] == pytest.approx(1 - output["accuracy"])
    assert (tmp_path / "dist/digits/provenance/metrics.py").read_text("utf-8") == MISSES
    bundle, model = tmp_path / "dist/digits", DIGITS / "digits.keras"
    done = run_kit("verify", str(bundle), "--engine", "local", "--model", str(model))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is up to date" in kit(tmp_path / "recipe.toml")


@pytest.mark.slow
def test_another_function_of_the_same_name_is_another_build_and_may_refuse(tmp_path: Path) -> None:
    kit(write(tmp_path, model=TRUSTED))
    (tmp_path / "own.py").write_text("def misses(truth, outputs):\n    return len(truth)\n", "utf-8")
    assert "is up to date" not in kit(tmp_path / "recipe.toml")  # a loss that did not grow
    (tmp_path / "own.py").write_text("def misses(truth, outputs):\n    return outputs.ndim * 1000\n", "utf-8")
    write(tmp_path, None, model=TRUSTED, limits="max = 0.5")
    kept = (tmp_path / "dist/digits/bundle.json").read_bytes()
    assert "code:misses (digit)" in kit(tmp_path / "recipe.toml", code=4)
    assert (tmp_path / "dist/digits/bundle.json").read_bytes() == kept


def test_a_build_that_may_not_run_it_ends_early_and_writes_nothing(tmp_path: Path) -> None:
    assert "the local engine is no sandbox" in kit(write(tmp_path), code=2)
    assert not (tmp_path / "dist" / "digits").exists()


@pytest.mark.slow
def test_auto_searches_by_it_and_stops_at_its_fault(tmp_path: Path) -> None:
    said = kit(write(tmp_path, model=TRUSTED, quantize="scheme = 'auto'"))
    assert "code:misses" in said
    rows = json.loads((tmp_path / "dist/digits.search.json").read_text("utf-8"))["candidates"]
    measures = [row["chosen_on"][0]["metrics"] for row in rows if row["chosen_on"]]
    assert len(measures) > 6 and all(metric[0]["name"] == "code:misses" for metric in measures)
    bad = write(tmp_path, "def misses(truth, outputs):\n    return 1 / 0\n", model=TRUSTED, quantize="scheme = 'auto'")
    assert "own.py, line 2: misses on the float model's values" in kit(bad, code=2)
