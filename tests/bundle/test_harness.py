"""The harness's own files as they are: which may import which, on which Python they run, and what each part says."""

from __future__ import annotations

import ast
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness.checks import OutputCheck, PixelCheck, Replay, SignatureCheck, StateCheck
from harness.compare import distance
from harness.outputs import read_output
from harness.report import Interpreter, Report
from harness.signature import Signature, Variables
from harness.tensor import Tensor
from harness.text import lines_of
from worlds import ROOT

from kit.emulation.harness import harness_files

EMULATE = ROOT / "templates" / "bundle" / "emulate"
OLDEST = (3, 10)  # Python, of those that the pinned runtimes have wheels for and preprocess.py runs on

# Each part with the parts that it may import, lowest first: a row names rows above it only.
ARROWS = {
    "bundle": "",
    "errors": "",
    "files": "errors",
    "numbers": "files",
    "found": "numbers",
    "words": "numbers",
    "entries": "found numbers words",
    "checks": "numbers",
    "groups": "errors",
    "forms": "files",
    "tensor": "errors files forms",
    "signature": "forms tensor",
    "calls": "files signature tensor",
    "model": "bundle errors files signature",
    "feed": "errors files tensor",
    "input_files": "errors signature",
    "texts": "entries errors files tensor",
    "sounds": "errors files tensor",
    "tables": "errors files signature tensor",
    "inputs": "calls entries errors feed files signature sounds tables tensor texts",
    "frame": "files signature tensor",
    "decode": "files forms found frame numbers",
    "outputs": "decode entries files frame numbers signature tensor",
    "interpreter": "bundle calls errors files model signature tensor",
    "golden": "calls errors files model signature tensor",
    "compare": "calls checks errors feed files golden numbers signature sounds tensor texts",
    "training": "calls checks golden interpreter numbers signature",
    "state": "errors files interpreter signature",
    "replay": "checks compare golden interpreter model signature state training",
    "benchmark": "files interpreter signature",
    "variables": "entries interpreter numbers outputs signature",
    "report": "benchmark checks entries numbers variables",
    "meaning": "checks report",
    "draw": "decode errors files forms found frame inputs signature",
    "entry_text": "entries found variables words",
    "text": "checks entries entry_text meaning report variables words",
    "records": "entries report",
    "saved": "entries errors files",
    "spread": "",
    "progress": "",
    "stdin": "errors signature tensor",
    "options": "bundle errors",
    "targets": "bundle errors",
    "run": "files interpreter options signature",
    "decoded": "decode draw entries frame inputs outputs run",
    "results": "decoded entries errors files frame groups inputs interpreter outputs run signature",
    "run_inputs": "entries errors files frame groups input_files inputs interpreter results run spread stdin targets",
    "with_inputs": "benchmark calls entries errors files golden inputs interpreter model options progress report run"
    " run_inputs saved signature spread",
    "command": "bundle draw errors golden interpreter model options records replay report signature state targets"
    " text variables with_inputs words",
}
LIBRARIES = {"numpy", "PIL", "pillow_heif", "audio", "postprocess", "preprocess", "text", "wav"}


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield the name of each module that a part imports, and whether it is another part."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield str(node.module), node.level == 1
        elif isinstance(node, ast.Import):
            yield from ((alias.name, False) for alias in node.names)


def test_the_parts_of_the_harness_import_each_other_in_one_direction() -> None:
    above: set[str] = set()
    for name, allowed in ARROWS.items():
        assert set(allowed.split()) <= above, name
        above.add(name)
    parts = {path.stem: path for path in (EMULATE / "harness").glob("*.py") if path.stem != "__init__"}
    used = {name: {module for module, ours in imports(path) if ours} for name, path in parts.items()}
    assert used == {name: set(allowed.split()) for name, allowed in ARROWS.items()}


def test_the_harness_needs_numpy_and_an_interpreter_and_nothing_of_the_kit() -> None:
    found = {
        module.partition(".")[0]
        for path in (EMULATE / "harness").glob("*.py")
        for module, ours in imports(path)
        if not ours
    }
    assert found - set(sys.stdlib_module_names) == LIBRARIES
    entry = {module.partition(".")[0] for module, _ in imports(EMULATE / "emulate.py")}
    assert entry - set(sys.stdlib_module_names) == {"constants", "harness"}


@pytest.mark.parametrize("path", sorted(EMULATE.rglob("*.py")), ids=lambda path: path.stem)
def test_each_file_is_short_and_of_the_oldest_python(path: Path) -> None:
    text = path.read_text("utf-8")
    ast.parse(text, feature_version=OLDEST)
    assert text.count("\n") < 300


def test_what_python_leaves_beside_the_harness_is_no_file_of_a_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip compiles what it installs, templates among it."""
    before = harness_files("a", "litert:2.3.0", "0")
    shutil.copytree(EMULATE, tmp_path / "bundle" / "emulate")
    cache = tmp_path / "bundle" / "emulate" / "harness" / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "text.cpython-311.pyc").write_bytes(b"")
    monkeypatch.setattr("kit.render.templates", lambda: tmp_path)
    assert harness_files("a", "litert:2.3.0", "0") == before


def entry(**changes: Any) -> dict[str, Any]:
    return {"name": "x", "shape": [1, 4], "dtype": "int8", "scale": 0.5, "zero_point": -3} | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": [1, 0]}, r"x: its shape is \[1, 0\], and sizes >= 1"),
        ({"dtype": "string"}, "x: a 'string' of kind 'tensor' is not known"),
        ({"kind": "audio"}, "x: a 'int8' of kind 'audio' is not known"),
        ({"scale": float("inf")}, "x: a scale of inf does not go with int8"),
        ({"dtype": "float32"}, "x: a scale of 0.5 does not go with float32"),
    ],
)
def test_a_tensor_that_no_build_writes_is_refused(changes: dict[str, Any], message: str) -> None:
    assert Tensor.from_json(entry(), Path(), ("tensor",)).sample == (4,)
    with pytest.raises(ValueError, match=message):
        Tensor.from_json(entry(**changes), Path(), ("tensor",))


PHOTO = {"dtype": "uint8", "shape": [1, 8, 4, 3], "kind": "image", "color": "rgb", "mean": [0], "std": [1]}


def test_an_image_is_letterboxed_with_its_pad_color_and_an_older_signature_has_none() -> None:
    photo = entry(**PHOTO, resize="letterbox", pad_color=[1, 2, 3])
    assert Tensor.from_json(photo, Path(), ("image",)).pad_color == (1, 2, 3)
    assert Tensor.from_json(entry(**PHOTO, resize="stretch"), Path(), ("image",)).pad_color == (0,)
    for pad_color, message in (([1, 2], "is no color"), ([300], "is no color")):
        with pytest.raises(ValueError, match=message):
            Tensor.from_json(photo | {"pad_color": pad_color}, Path(), ("image",))
    with pytest.raises(ValueError, match="resize 'fit' is unknown"):
        Tensor.from_json(photo | {"resize": "fit"}, Path(), ("image",))


def test_signatures_and_variables_are_values() -> None:
    document = {"signature": "run", "inputs": [entry()], "outputs": [entry(name="y", shape=[4, 2])]}
    signature = Signature.from_json(document, Path(), main=True)
    assert (signature.prefix, signature.fixed, signature.outputs["y"].rows) == ("", True, 4)
    assert Signature.from_json(document, Path()).prefix == "signature/run/"
    kept = Variables.from_json({"read": "r", "assign": "a", "tensors": [entry(name="w")]}, Path())
    assert (kept.assign.inputs, list(kept.assign.outputs)) == (kept.tensors, ["assigned"])
    assert kept.tensors["w"].sample == (1, 4)
    with pytest.raises(ValueError, match="run: it names no input or no output"):
        Signature.from_json(document | {"inputs": []}, Path())


def test_two_nan_are_no_distance_apart_and_another_shape_is_infinitely_far() -> None:
    left = np.array([np.nan, np.nan, 1.0, np.inf, 3.0], np.float32)
    right = np.array([np.nan, 0.0, 1.0, np.inf, 1.5], np.float32)
    assert distance(left, right).tolist() == [0.0, np.inf, 0.0, 0.0, 1.5]
    assert distance(left, right[:4]).tolist() == np.inf
    assert distance(np.array([0], np.uint8), np.array([255], np.uint8)).tolist() == [255.0]


def test_an_output_in_json_has_the_fewest_digits_of_its_own_type_and_null_for_nan() -> None:
    tensor = Tensor("y", (1, 3), "float32", None, 0, "tensor")
    found = read_output(tensor, [np.array([[0.1, np.nan, -2.0]], np.float32)], 5)[0].to_json()
    assert json.dumps([found[key] for key in ("min", "max", "values")]) == "[-2.0, 0.1, [0.1, null, -2.0]]"


def test_a_report_says_the_same_to_a_script_and_to_a_user() -> None:
    output = OutputCheck("steps", 9, 1.0, 2, 3.5, passed=False, shapes=None, vectors_off=2)
    edge = OutputCheck("steps", 0, 1.0, 0, None, passed=True, shapes=None)
    main = SignatureCheck(3, (("y", output),), (("x", PixelCheck(0, 64, 0)),), edges=4, edge_outputs=(("y", edge),))
    replay = Replay(main, (("other", SignatureCheck()),), None, StateCheck(("w",), (), (), golden=True))
    report = Report("b", "1.0.0", "0", Interpreter("ai-edge-litert", "2.3.0", 1, "litert:2.3.0"), replay)
    plain: dict[str, Any] = report.to_json()
    assert list(plain) == "bundle version kit runtime verdict vectors outputs pixels edges signatures state".split()
    assert (plain["verdict"], plain["outputs"]["y"]["worst_steps"], plain["outputs"]["y"]["pass"]) == ("fail", 9, False)
    assert plain["signatures"]["other"] == {"vectors": 0, "outputs": {}, "pixels": {}, "pass": True}
    assert plain["state"] == {"read": ["w"], "assigned": [], "restored": [], "golden": True, "pass": False}
    assert list(lines_of(report))[1:] == [
        "  output y: max difference 9 steps (1 allowed, 2 of 3 vectors are off, worst vector 2); as built 3.5 steps "
        "from float: FAIL",
        "  output y on 4 edge vectors: max difference 0 steps (1 allowed): ok",
        "  pixels x: pre-processing gives the same input: ok",
        "  signature other: no golden vectors",
        "  variables: w is not as built: FAIL",
        "golden: fail, 3 vectors",
        "  the bundle was built with this runtime: model.tflite is not the file that these vectors are of (a weight or "
        "a scale is another one), or golden.npz is of another build",
    ]
