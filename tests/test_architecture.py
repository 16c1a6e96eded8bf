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

# Each module of kit with the modules that it may import, lowest first: a row names rows above it only.
# A package (container, engine, worker) is one row; what its modules import of one another is its own matter.
ARROWS = {
    # the root, which every import of a module runs
    "kit": "",
    # both worlds: the worker runs these, too
    "npz": "",
    "preprocess": "",
    "protobuf": "",
    "trust": "protobuf",
    "worker.job": "",
    # the worker's world: inside a toolchain
    "worker": "npz preprocess trust worker.job",
    # the host's world
    "bounded": "",
    "errors": "",
    "parallel": "",
    "process": "bounded",
    "progress": "bounded",
    "render": "",
    "hdf5": "trust",
    "savedmodel": "bounded protobuf",
    "files": "errors",
    "pins": "errors",
    "explain": "errors",
    "tflite": "errors",
    "chance": "",
    "weight_types": "tflite",
    "recipe": "bounded errors explain",
    "measure": "errors preprocess recipe worker.job",
    "golden": "errors measure recipe worker.job",
    "runtime_answers": "",
    "metadata": "errors recipe tflite",
    "tflite_text": "errors metadata tflite",
    "tflite_diff": "tflite tflite_text",
    "modelfile": "bounded errors hdf5 savedmodel trust",
    "toolchain": "errors pins",
    "choice": "errors modelfile toolchain",
    "key": "bounded files",
    "manifest_check": "",
    "manifest": "bounded errors files manifest_check",
    "harness": "render",
    "wheels": "errors files pins",
    "venv": "errors files pins toolchain wheels",
    "samples": "bounded errors modelfile preprocess recipe",
    "checks": "chance errors measure recipe worker.job",
    "container": "errors files toolchain wheels",
    "engine": "bounded container errors files process progress toolchain venv worker.job",
    "android": "bounded errors files harness manifest manifest_check metadata pins process recipe render"
    " tflite toolchain venv",
    "bundle": "android checks files harness kit manifest measure metadata modelfile npz pins recipe render samples"
    " toolchain weight_types worker.job",
    "emulate": "bounded errors golden harness manifest pins toolchain venv worker.job",
    "trial": "bundle checks emulate errors files golden measure tflite toolchain weight_types worker.job",
    "plan": "choice errors modelfile pins recipe samples toolchain",
    "inventory": "container engine files toolchain venv",
    "convert": "engine errors files modelfile plan progress recipe samples worker.job",
    "pipeline": "android bundle checks choice convert emulate engine files manifest measure npz plan progress"
    " recipe samples toolchain trial worker.job",
    "verify": "bounded bundle convert emulate engine errors files golden manifest pins plan progress recipe"
    " samples tflite tflite_diff toolchain worker.job",
    "frozen": "convert engine errors files kit plan progress worker.job",
    "weights": "bounded errors hdf5 tflite",
    "report": "bundle checks files measure pipeline recipe samples toolchain weight_types worker.job",
    "cells": "errors files key manifest parallel process recipe tflite toolchain worker.job",
    "matrix": "cells errors manifest recipe",
    "matrix_report": "cells matrix",
    "matrix_page": "cells kit matrix matrix_report render",
    "tasks": "android bounded cells checks container emulate engine errors files frozen inventory key manifest matrix"
    " matrix_page"
    " matrix_report modelfile parallel pipeline plan progress recipe report tflite tflite_diff"
    " tflite_text toolchain verify weights",
    "__main__": "kit tasks",
}

# What else may be imported where it is not any package at all. "" is the standard library alone.
LIBRARIES = {
    "worker.job": "",
    "worker": "numpy flatbuffers h5py tensorflow keras tf_keras",
    "npz": "numpy",
    "protobuf": "",
    "trust": "h5py",
    "preprocess": "numpy PIL",
    "engine.walls": "",  # a script that becomes the worker
    "container.bytecode": "",  # a script that runs inside a container
    "runtime_answers": "numpy emulate harness",  # a script that runs in the runtime's venv
    "android.desktop.harness_outputs": "numpy emulate harness",  # a script that runs in the runtime's venv
    "android.desktop.interpreter_host": "numpy ai_edge_litert",  # the same
    "android.mediapipe_tasks.classify": "numpy mediapipe",  # a script that runs in MediaPipe's venv
    "hdf5": "h5py numpy",  # a script that runs in a process of its own
}

NEVER_ON_THE_HOST = {"tensorflow", "keras", "tf_keras"}


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
    """Return the row of the table that a module (without "kit.") belongs to: its own, or its package's."""
    return module if module in table else module.partition(".")[0]


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


def test_the_host_takes_the_contract_and_nothing_else_from_the_worker() -> None:
    assert [name for name, allowed in ARROWS.items() if "worker" in allowed.split()] == []


def test_tensorflow_is_not_among_the_packages_that_the_kit_installs() -> None:
    wanted = " ".join(importlib.metadata.requires("dropkit") or [])
    assert "numpy" in wanted
    assert not [name for name in NEVER_ON_THE_HOST if name in wanted]


def test_importing_all_of_the_host_never_asks_for_tensorflow() -> None:
    modules = [module_name(ROOT / "kit", path) for path in sorted((ROOT / "kit").rglob("*.py"))]
    host = [f"kit.{name}" for name in modules if name == "worker.job" or row(name, ARROWS) not in {"kit", "worker"}]
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
    assert "kit.tasks" in imported
    assert imported & {*NEVER_ON_THE_HOST, "numpy", "docker", "pydantic", "jinja2", "h5py", "PIL"} == set()


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


def test_the_host_may_import_the_job_but_not_the_rest_of_the_worker(tmp_path: Path) -> None:
    files = {"worker/job.py": "", "worker/convert.py": "import tensorflow\n"}
    assert complaints(tree(tmp_path, {"checks.py": "from kit.worker.job import Result\n", **files})) == []
    (found,) = complaints(tree(tmp_path, {"checks.py": "from kit.worker import convert\n", **files}))
    assert "'checks' imports 'worker'" in found


def test_a_host_module_that_imports_tensorflow_is_found(tmp_path: Path) -> None:
    (found,) = complaints(tree(tmp_path, {"recipe.py": "def peek():\n    import tensorflow as tf\n"}))
    assert "'recipe' imports 'tensorflow', which belongs to the toolchains, never to the host" in found


@pytest.mark.parametrize(
    ("file", "line", "sentence"),
    [
        ("worker/job.py", "import numpy", "'worker.job' imports 'numpy', and may only import: the standard library"),
        ("worker/job.py", "import kit.errors", "'worker.job' imports 'errors', and may only import: nothing"),
        ("worker/convert.py", "import pydantic", "'worker' imports 'pydantic', and may only import"),
        ("worker/convert.py", "from kit.files import json_text", "'worker' imports 'files', and may only import"),
        ("preprocess.py", "import tensorflow", "'preprocess' imports 'tensorflow', and may only import"),
        ("preprocess.py", "import kit.errors", "'preprocess' imports 'errors', and may only import: nothing"),
        ("hdf5.py", "import pydantic", "'hdf5' imports 'pydantic', and may only import: the standard library h5py"),
    ],
)
def test_what_runs_elsewhere_imports_only_what_is_there(tmp_path: Path, file: str, line: str, sentence: str) -> None:
    found = complaints(tree(tmp_path, {"files.py": "", file: line}))
    assert any(sentence in each for each in found), found


def test_the_modules_of_one_package_may_import_one_another(tmp_path: Path) -> None:
    files = {"worker/data.py": "from kit.worker.source import Source\n", "worker/source.py": "from . import job\n"}
    assert complaints(tree(tmp_path, {"worker/job.py": "", **files})) == []
