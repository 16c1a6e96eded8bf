"""The kit's own formats are classes: a mapping of anything stands only where one is read or written."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from worlds import ROOT

# Where JSON or TOML becomes a class, or a class JSON; one place each.
READERS = {"from_json", "to_json", "_plain", "_checked", "note"}
# What is no format of the kit's: values for templates, and what others define.
FOREIGN = {
    "bundle/manifest_check.py": "bundle.json before it is known to be one",
    "android/install/state.py": "dropkit.json before it is known to be one",
    "commands/program.py": "options as Invoke has them",
    "build/cache_key.py": "a recipe before its types are loaded",
    "recipe/load.py": "a recipe's TOML on its way into its types",
    "recipe/schema.py": "the JSON Schema of a recipe",
    "render.py": "values for templates",
    "android/codegen/write_sources.py": "values for templates",
    "build/write_bundle.py": "values for templates",
    "build/report.py": "what --json prints where there is no bundle",
    "init/guess_inputs.py": "keys of a recipe's tables on their way to TOML",
    "init/guess_outputs.py": "keys of a recipe's tables on their way to TOML",
    "init/loaded.py": "a recipe's TOML on its way into its types",
    "source_model/": "Keras' own JSON",
    "exploration/": "Model Explorer's own JSON",
    "comparison/app_view.py": "what bundle.json and TFLite's metadata say of a tensor, side by side",
    "emulation/latency_script.py": "a script that prints JSON",
    "emulation/arm64_script.py": "a script that writes JSON",
    "emulation/resident_script.py": "a script that prints JSON",
    "emulation/resident.py": "the JSON of that script, for a page",
    "serving/app.py": "what the page asks and gets as JSON, and WSGI's environment",
    "emulation/runtimes_script.py": "a script that prints JSON",
    "profiling/profile_script.py": "a script that writes JSON",
    "scoring/": "what --json prints, and COCO JSON",
    "inspection/": "the documents that --json prints, with Keras' own JSON in them",
    "quantizer/inside/moments.py": "calibration values as litert-quantizer has them",
    "quantizer/inside/compared_bundles.py": "a tensor's details as LiteRT's interpreter has them",
    "container/": "what Docker's SDK and the image format have",
    "engine/docker.py": "options of Docker's SDK",
    "tflite/metadata/decode.py": "fields of a FlatBuffers table",
    "bundle/replay_report.py": "the harness's JSON, read part by part",
    "android/mediapipe_tasks/": "a script that prints JSON",
    "trust/": "Keras' own JSON, and messages of Protocol Buffers",
    "worker/": "tensors and graph nodes by name, and Keras' own JSON",
}


def mappings_of_anything(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and function of each annotation such as Mapping[str, Any]."""
    tree = ast.parse(path.read_text("utf-8"))
    named = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef))
    owners = [(node.lineno, node.end_lineno or 0, node.name) for node in named]
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and ast.unparse(node) in {
            f"{kind}[str, {value}]" for kind in ("dict", "Mapping") for value in ("Any", "object")
        }:
            inside = [name for first, last, name in owners if first <= node.lineno <= last]
            yield node.lineno, inside[-1] if inside else ""


def test_a_mapping_of_anything_stands_only_where_a_format_is_read_or_written() -> None:
    kit = ROOT / "kit"
    found = [
        f"kit/{path.relative_to(kit)}, line {line}: {owner or 'at the top'}"
        for path in sorted(kit.rglob("*.py"))
        if not path.relative_to(kit).as_posix().startswith(tuple(FOREIGN))
        for line, owner in mappings_of_anything(path)
        if owner not in READERS
    ]
    assert not found, "\n".join(["give these a class with from_json and to_json:", *found])


def test_every_place_that_may_have_one_is_there() -> None:
    assert [place for place in FOREIGN if not (ROOT / "kit" / place).exists()] == []


def test_the_count_sees_one(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text("def described(entry: Mapping[str, Any]) -> dict[str, object]: ...\n", "utf-8")
    assert [owner for _, owner in mappings_of_anything(file)] == ["described", "described"]
