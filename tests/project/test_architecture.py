"""Who may import whom: the three worlds of docs/architecture.md as a table, held against every import in kit/."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from worlds import ROOT

# Each package of kit with the packages that it may import, lowest first: a row names rows above it only. A module has a
# row of its own only at the top of kit and of the worker. Within a package, imports make no circle.
ARROWS = {
    # the root, which every import of a module runs
    "kit": "",
    # both worlds: the worker runs these, too
    "shared": "",
    "trust": "shared",
    # the worker's world: inside a toolchain
    "worker.failures": "shared",
    "worker.source": "shared worker.failures",
    "worker.graph": "shared worker.source",
    "worker.loaders": "shared trust worker.failures worker.graph worker.source",
    "worker.tflite_file": "",
    "worker.evaluation": "shared worker.failures worker.graph worker.source worker.tflite_file",
    "worker.conversion": "shared worker.evaluation worker.graph worker.source worker.tflite_file",
    "worker.streaming": "shared worker.conversion worker.evaluation worker.failures worker.graph worker.source",
    "worker.frozen": "shared worker.conversion worker.evaluation worker.graph worker.source",
    "worker": "shared worker.conversion worker.evaluation worker.failures worker.frozen worker.graph worker.loaders"
    " worker.source worker.streaming",
    # the host's world
    "bounded": "",
    "errors": "",
    "render": "",
    "charts": "",
    "lifetime": "",
    "files": "bounded errors lifetime",
    "process": "bounded",
    "progress": "bounded",
    "metrics": "shared",
    "recipe": "bounded errors metrics",
    "refusals": "errors recipe",
    "tflite": "errors",
    "source_model": "bounded errors lifetime shared tflite trust",
    "toolchains": "errors files lifetime source_model tflite",
    "packages": "errors files lifetime toolchains",
    "gpu": "errors files lifetime packages toolchains",
    "container": "errors files lifetime packages toolchains",
    "arm64": "container errors files packages toolchains",
    "bundle": "bounded errors files metrics recipe shared tflite",
    "updates": "bounded bundle errors files shared",
    "report": "bundle charts kit metrics render shared",
    "emulation": "arm64 bundle errors files gpu kit lifetime packages render shared tflite toolchains",
    "engine": "bounded container errors files lifetime process progress shared toolchains",
    "quantizer.inside": "shared",
    "quantizer": "bounded emulation engine files process quantizer.inside shared toolchains",
    "android": "",
    "android.codegen": "bundle errors files render updates",
    "android.install": "android.codegen bounded bundle errors files lifetime render shared",
    "android.proof": "android.codegen bundle emulation errors files gpu lifetime process recipe shared tflite"
    " toolchains",
    "build": "android.codegen bounded bundle charts emulation engine errors files gpu kit metrics process progress"
    " quantizer recipe render report shared source_model tflite toolchains updates",
    "scoring": "bounded build bundle emulation errors files metrics recipe shared",
    "init": "bounded build engine errors files progress recipe shared source_model toolchains",
    "inspection": "bounded build bundle errors files recipe source_model tflite",
    "exploration": "bounded bundle errors shared tflite",
    "profiling": "bundle emulation errors exploration files quantizer shared tflite toolchains",
    "serving": "arm64 bounded bundle emulation errors files render toolchains",
    "comparison": "bounded bundle errors inspection kit render tflite toolchains updates files",
    "search": "build bundle charts emulation engine errors files metrics progress quantizer recipe render shared tflite"
    " toolchains",
    "matrix": "build bundle charts errors files kit lifetime metrics process recipe render shared tflite toolchains",
    "cleaning": "android.proof build bundle errors files lifetime",
    "doctor": "android.proof arm64 cleaning engine errors files lifetime matrix progress recipe toolchains",
    "commands": "android.codegen android.install android.proof arm64 bounded build bundle cleaning comparison container"
    " doctor emulation engine errors exploration files gpu init inspection kit lifetime matrix profiling progress"
    " recipe refusals render scoring search serving source_model tflite toolchains updates",
    "__main__": "commands",
}
WORKER = {name for name in ARROWS if name.partition(".")[0] == "worker"}

# What else may be imported where it is not any package at all. "" is the standard library alone.
LIBRARIES = {
    "shared": "",
    "shared.audio": "numpy",
    "shared.calls": "numpy",
    "shared.npz": "numpy",
    "shared.postprocess": "numpy",
    "shared.preprocess": "numpy PIL",
    "shared.rows": "numpy",
    "shared.edges": "numpy",
    "shared.seeded": "numpy",
    "shared.text": "numpy",
    "metrics": "numpy sklearn scipy pycocotools",
    "charts": "",
    "report": "numpy",
    "metrics.table": "",  # the recipe's words: read on every command with a recipe
    "shared.wav": "numpy",
    "worker": "numpy flatbuffers h5py tensorflow keras tf_keras",
    "trust": "h5py",
    "engine.walls": "",  # a script that becomes the worker
    "container.bytecode_script": "",  # a script that runs inside a container
    "emulation.waiting_script": "",  # a script that runs in the runtime's venv
    "profiling.events": "",  # imported by a script of the runtime's venv
    "profiling.litert_c": "numpy",  # the same
    "profiling.profile_script": "emulate harness numpy",  # a script of the runtime's venv
    "quantizer.quantize_file": "",  # a script that runs in the quantizer's venv
    "quantizer.inside": "ai_edge_litert litert_quantizer numpy",  # the same
    "serving": "werkzeug",
    "emulation.resident_script": "numpy PIL emulate harness postprocess",  # a script that runs in the runtime's venv
    "emulation.arm64_script": "numpy emulate harness",  # a script of the runtime's venv, and of an emulated one
    "emulation.gpu_script": "ai_edge_litert numpy emulate harness",  # a script that runs in the runtime's venv
    "emulation.script_inputs": "harness",  # the same
    "emulation.by_turns": "",  # imported by scripts of the runtime's venv
    "emulation.latency_script": "numpy",  # a script that runs in the runtime's venv
    "emulation.benchmark_script": "emulate harness",  # the same
    "emulation.runtimes_script": "emulate harness",  # the same
    "emulation.runtime_outputs": "numpy emulate harness",  # a script that runs in the runtime's venv
    "android.desktop.harness_outputs": "numpy emulate harness",  # a script that runs in the runtime's venv
    "android.desktop.interpreter_host": "numpy ai_edge_litert",  # the same
    "android.mediapipe_tasks.classify": "numpy mediapipe",  # a script that runs in MediaPipe's venv
    "source_model.hdf5": "h5py numpy",  # a script that runs in a process of its own
}

MOST_LINES = 400  # of a module
NEVER_ON_THE_HOST = {"tensorflow", "keras", "tf_keras"}
IN_ITS_VENV = {"quantizer.inside"}  # runs beside packages that the host has not


@dataclass(frozen=True)
class Import:
    """One import: which module of kit has it, on which line, and of what."""

    module: str  # "engine.run", without "kit."; "kit" is the root
    line: int
    target: str  # "numpy", "kit.recipe"


def module_name(root: Path, path: Path) -> str:
    """Return a file's dotted name below the package at root: "engine.run", "engine" for its __init__.py."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "kit"


def imports(root: Path) -> list[Import]:
    """Return every import of every file below root, the folder of kit: also inside functions and TYPE_CHECKING."""
    files = {module_name(root, path): path for path in sorted(root.rglob("*.py"))}
    modules = {name if name == "kit" else f"kit.{name}" for name in files}
    return [
        Import(name, node.lineno, target)
        for name, path in files.items()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.stmt | ast.expr)
        for target in _targets(node, modules, name, is_package=path.name == "__init__.py")
    ]


def _targets(node: ast.AST, modules: set[str], importer: str, *, is_package: bool) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            here = ["kit", *importer.split(".")] if importer != "kit" else ["kit"]
            up = here[: len(here) - node.level + is_package]
            base = ".".join([*up, *([node.module] if node.module else [])])
        for alias in node.names:
            # `from kit.worker import job` imports the module kit.worker.job, not only the package.
            yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules else base
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in {"import_module", "__import__"} and isinstance(node.args[0].value, str):
            yield node.args[0].value


def row(module: str, table: Mapping[str, str]) -> str:
    """Return the row of the table that a module (without "kit.") belongs to: its own, or its nearest package's."""
    parts = module.split(".")
    places = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((place for place in places if place in table), parts[0])


def complaints(root: Path, arrows: Mapping[str, str] = ARROWS) -> list[str]:
    """Return one sentence for each import below root that the table does not allow, and for each row it lacks."""
    found = []
    for each in imports(root):
        mine, where = row(each.module, arrows), f"kit/{each.module.replace('.', '/')}, line {each.line}"
        if mine not in arrows:
            found.append(f"kit/{each.module}: '{mine}' has no row in the table: add what it may import")
        elif each.target.partition(".")[0] == "kit":
            theirs = row(each.target.removeprefix("kit."), arrows)
            if theirs != mine and theirs not in arrows[mine].split():
                found.append(f"{where}: '{mine}' imports '{theirs}', and may only import: {arrows[mine] or 'nothing'}")
        else:
            found += _library_complaints(each, where)
    return list(dict.fromkeys(found))


def _library_complaints(each: Import, where: str) -> Iterator[str]:
    library = each.target.partition(".")[0]
    if library in sys.stdlib_module_names:
        return
    limited = next((name for name in (each.module, row(each.module, LIBRARIES)) if name in LIBRARIES), None)
    if limited is not None and library not in LIBRARIES[limited].split():
        allowed = f"the standard library {LIBRARIES[limited]}".rstrip()
        yield f"{where}: '{limited}' imports '{library}', and may only import: {allowed}"
    if limited != "worker" and library in NEVER_ON_THE_HOST:
        yield f"{where}: '{each.module}' imports '{library}', which belongs to the toolchains, never to the host"


def circle(below: Mapping[str, set[str]]) -> list[str]:
    """Return the modules that are left when those that import none of the rest are taken away, again and again."""
    left = set(below)
    while ready := {name for name in left if not below[name] & left}:
        left -= ready
    return sorted(left)


# ---------------------------------------------------------------- the real tree


def test_every_import_in_kit_is_an_arrow_of_the_table() -> None:
    found = complaints(ROOT / "kit")
    assert not found, "\n".join(found)


def test_the_table_goes_one_way() -> None:
    above: list[str] = []
    for name, allowed in ARROWS.items():
        upwards = set(allowed.split()) - set(above)
        assert not upwards, f"'{name}' may import {upwards}, which is not above it"
        above.append(name)


def test_the_table_has_no_arrow_that_nothing_uses() -> None:
    used = {(row(each.module, ARROWS), row(each.target.removeprefix("kit."), ARROWS)) for each in imports(ROOT / "kit")}
    unused = [f"{name} -> {other}" for name, allowed in ARROWS.items() for other in allowed.split()]
    assert [arrow for arrow in unused if tuple(arrow.split(" -> ")) not in used] == []


def test_every_row_of_the_table_is_there() -> None:
    there = {module_name(ROOT / "kit", path) for path in (ROOT / "kit").rglob("*.py")}
    assert (ARROWS.keys() | LIBRARIES.keys()) - there == set()


def test_no_package_has_a_circle_of_imports() -> None:
    below: dict[str, set[str]] = {}
    for each in imports(ROOT / "kit"):
        target = each.target.removeprefix("kit.")
        if each.target.startswith("kit.") and row(each.module, ARROWS) == row(target, ARROWS) and target != each.module:
            below.setdefault(each.module, set()).add(target)
    assert circle(below) == []


def test_no_module_is_longer_than_can_be_read_in_one_go() -> None:
    files = [*(ROOT / "kit").rglob("*.py"), *(ROOT / "templates").rglob("*.py")]
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines()) for path in files}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_the_host_takes_nothing_from_the_worker() -> None:
    taken = {name: set(allowed.split()) & WORKER for name, allowed in ARROWS.items() if name not in WORKER}
    assert {name: names for name, names in taken.items() if names} == {}


def test_tensorflow_is_not_among_the_packages_that_the_kit_installs() -> None:
    wanted = " ".join(importlib.metadata.requires("dropkit") or [])
    assert "numpy" in wanted
    assert not [name for name in NEVER_ON_THE_HOST if name in wanted]


def test_importing_all_of_the_host_never_asks_for_tensorflow() -> None:
    modules = [module_name(ROOT / "kit", path) for path in sorted((ROOT / "kit").rglob("*.py"))]
    host = [f"kit.{name}" for name in modules if row(name, ARROWS) not in {"kit", *WORKER, *IN_ITS_VENV}]
    code = f"""
import importlib, sys
asked = []
class Ear:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {NEVER_ON_THE_HOST!r}:
            asked.append(name)
sys.meta_path.insert(0, Ear())
for name in {host!r}:
    importlib.import_module(name)
print(asked)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("program", [["-m", "invoke", "--list"], ["-m", "kit", "--list"]])
def test_listing_the_commands_imports_nothing_heavy(program: list[str]) -> None:
    argv = [sys.executable, "-X", "importtime", *program]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "build" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "kit.commands" in imported
    heavy = {"numpy", "docker", "pydantic", "jinja2", "h5py", "PIL", "sklearn", "scipy", "pycocotools"}
    assert imported & {*NEVER_ON_THE_HOST, *heavy} == set()


# ---------------------------------------------------------------- the checker itself


def tree(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a small kit, the given files by their path among them; return its folder."""
    for name, text in {"__init__.py": "", "errors.py": "", "recipe.py": "", "worker/__init__.py": "", **files}.items():
        path = folder / "kit" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder / "kit"


def test_a_tree_that_keeps_the_table_is_fine(tmp_path: Path) -> None:
    kit = tree(tmp_path, {"recipe.py": "import json\nimport pydantic\nfrom kit.errors import RecipeError\n"})
    assert complaints(kit) == []


@pytest.mark.parametrize(
    "line",
    [
        "from kit.recipe import Recipe",
        "from kit import recipe",
        "import kit.recipe",
        "from . import recipe",
        "from .recipe import Recipe",
        "def late() -> None:\n    from kit.recipe import load_recipe",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from kit.recipe import Recipe",
        "import importlib\nimportlib.import_module('kit.recipe')",
    ],
)
def test_a_new_arrow_is_found_and_named_wherever_it_hides(tmp_path: Path, line: str) -> None:
    (found,) = complaints(tree(tmp_path, {"errors.py": line}))
    assert "kit/errors, line" in found
    assert "'errors' imports 'recipe', and may only import: nothing" in found


def test_the_line_of_the_forbidden_import_is_named(tmp_path: Path) -> None:
    (found,) = complaints(tree(tmp_path, {"errors.py": "import os\n\n\ndef f():\n    import kit.recipe\n"}))
    assert found.startswith("kit/errors, line 5: ")


def test_a_module_without_a_row_is_asked_for_one(tmp_path: Path) -> None:
    (found,) = complaints(tree(tmp_path, {"novelty.py": "import kit.errors\n"}))
    assert "'novelty' has no row in the table" in found


def test_the_host_may_import_the_job_but_not_the_worker(tmp_path: Path) -> None:
    files = {"shared/job.py": "", "worker/pipeline.py": "import tensorflow\n", "build/__init__.py": ""}
    assert complaints(tree(tmp_path, {"build/checks.py": "from kit.shared.job import Result\n", **files})) == []
    (found,) = complaints(tree(tmp_path, {"build/checks.py": "from kit.worker import pipeline\n", **files}))
    assert "'build' imports 'worker'" in found


def test_a_circle_within_a_package_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["a", "b", "c"]


def test_a_host_module_that_imports_tensorflow_is_found(tmp_path: Path) -> None:
    (found,) = complaints(tree(tmp_path, {"recipe.py": "def peek():\n    import tensorflow as tf\n"}))
    assert "'recipe' imports 'tensorflow', which belongs to the toolchains, never to the host" in found


@pytest.mark.parametrize(
    ("file", "line", "sentence"),
    [
        ("shared/job.py", "import numpy", "'shared' imports 'numpy', and may only import: the standard library"),
        ("shared/job.py", "import kit.errors", "'shared' imports 'errors', and may only import: nothing"),
        ("worker/graph/x.py", "import pydantic", "'worker' imports 'pydantic', and may only import"),
        ("worker/graph/x.py", "from kit.files import a", "'worker.graph' imports 'files', and may only import"),
        ("shared/preprocess.py", "import tensorflow", "'shared.preprocess' imports 'tensorflow', and may only import"),
        ("shared/preprocess.py", "import kit.errors", "'shared' imports 'errors', and may only import: nothing"),
        (
            "source_model/hdf5.py",
            "import pydantic",
            "imports 'pydantic', and may only import: the standard library h5py",
        ),
    ],
)
def test_what_runs_elsewhere_imports_only_what_is_there(tmp_path: Path, file: str, line: str, sentence: str) -> None:
    found = complaints(tree(tmp_path, {"files.py": "", file: line}))
    assert any(sentence in each for each in found), found


def test_the_modules_of_one_package_may_import_one_another(tmp_path: Path) -> None:
    files = {"build/a.py": "from kit.build.b import plan\n", "build/b.py": "from . import c\n", "build/c.py": ""}
    assert complaints(tree(tmp_path, {"build/__init__.py": "", **files})) == []
