"""Docstrings of functions that take or return arrays give shape and dtype: the kit's, and the harness's in a bundle.

Counted is each function and method, private and local ones, too; of __init__ its class speaks. It takes or returns
arrays where

1. an annotation has np.ndarray, NDArray, or an alias of such (Array, Arrays, BySignature);
2. a parameter typed Any, or as a container of Any, goes into a function of numpy's or TensorFlow's, or an attribute is
   read of it that only arrays have (ATTRIBUTES), or its name says so (NAMES);
3. a result typed Any, or as a container of Any, comes from numpy, from TensorFlow, from an array's own method, or from
   a function of the module that returns arrays; or MORE has it.

Its docstring gives a shape and a dtype, and where it takes several arrays, the name of each parameter. A shape is in
brackets ([N, H, W, C], [vectors, *shape]), "scalar", or a sentence on a shape; a dtype is numpy's name of one, a
sentence on a dtype, or "raw": as the tensor has it, quantized or not.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from worlds import ROOT

from kit.recipe.schema import Recipe

Definition = ast.FunctionDef | ast.AsyncFunctionDef
FOLDERS = ("kit", "templates/bundle/emulate")
ATTRIBUTES = {"astype", "dtype", "ndim", "numpy", "read_value", "reshape", "tobytes"}
NAMES = {  # of parameters typed Any
    "array": "one of numpy's",
    "arrays": "arrays by name",
    "feeds": "what a signature takes, arrays or tensors by name",
    "gradient": "of a loss, by a variable",
    "given": "tensors inside a model that the caller gives",
    "inputs": "what a layer or an operation takes",
    "output": "what a layer gives",
    "packed": "numbers of a few bits, several in a byte",
    "pixels": "an image's",
    "samples": "what a model is run on, by name",
    "target": "what a loss compares outputs with",
    "tensor": "one of TensorFlow's",
    "tensors": "those of a call, in order",
    "values": "of variables, or of an operation",
    "weights": "of a layer",
    "whole": "a sequence, all steps of it",
    "x": "what an activation or a layer takes",
}
# What of numpy and TensorFlow takes and gives no array.
PLAIN = {"Graph", "Interpreter", "TensorShape", "TensorSpec", "as_dtype", "dtype", "function", "iinfo", "is_tensor"}
PLAIN |= {"get_concrete_function", "get_default_graph"}
# What the rules do not see, typed Any: by file and function, with what it is.
MORE = {
    "kit/worker/conversion/export.py": {"handles": "resources of variables"},
    "kit/worker/graph/unroll.py": dict.fromkeys(("_run", "_once", "_tensor", "_is_constant", "_index"), "values"),
    "kit/worker/loaders/keras_model.py": {"_inner": "a layer's tensors"},
    "kit/worker/loaders/tfmot_config.py": {"build": "variables of a range"},
}
# What the rules take for an array and is none: by file and function, with what it is.
NO_ARRAYS = {
    "kit/recipe/toml_value.py": {"toml_value": "a value of TOML"},
    "kit/render.py": dict.fromkeys(("render_tree", "render_text"), "values for templates"),
    "kit/shared/preprocess.py": {"_decode": "a Pillow image"},
    "kit/source_model/hdf5.py": {"visit": "an object of an HDF5 file"},
    "kit/worker/conversion/export.py": dict.fromkeys(("_read", "_assign"), "a concrete function"),
    "kit/worker/conversion/training.py": {"function": "a concrete function"},
    "kit/worker/graph/batch_norm.py": dict.fromkeys(("_replacement", "_unfuse"), "nodes"),
    "kit/worker/graph/counts.py": dict.fromkeys(("plain", "_counted"), "nodes"),
    "kit/worker/graph/int8_activations.py": {"_parts": "nodes"},
    "kit/worker/graph/lookup.py": dict.fromkeys(("plain", "_compared"), "nodes"),
    "kit/worker/loaders/dequantized.py": {"look": "an object of an HDF5 file"},
    "kit/worker/loaders/open_layers.py": dict.fromkeys(("_repeating", "_resizing"), "a function"),
    "kit/worker/loaders/saved_model.py": {"_port": "a TensorSpec"},
    "kit/worker/source/contract.py": dict.fromkeys(("retraced", "_trace"), "a concrete function"),
}

SHAPE = re.compile(r"\bshapes?\b|\bscalars?\b|\[[^\[\]\n]*\]")
DTYPE = re.compile(r"\b(?:u?int(?:4|8|16|32|64)|b?float(?:16|32|64)|bool|dtypes?|raw)\b")
# A recipe's tables and keys are no shapes: "[quantize] count", "[[inputs]] shape".
TABLES = re.compile(rf"\[?\[(?:{'|'.join(Recipe.model_fields)})(?:\.\w+)?\]\]?(?: \w+)?")


@dataclass(frozen=True)
class Counted:
    """A function that takes or returns arrays."""

    path: str
    line: int
    name: str
    because: str  # the parameters or the result that make it one: "x: Any"
    lacks: tuple[str, ...]  # what its docstring leaves out: "shape", "dtype", a parameter's name


def counted(tree: ast.Module, path: str, arrays: set[str]) -> Iterator[Counted]:
    """Yield the functions of a module that take or return arrays. arrays: their names in annotations."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, Definition)]
    makers = set[str]()  # functions of the module that return arrays
    for _ in range(3):  # one may call another
        makers |= {node.name for node in nodes if words(node.returns) & arrays or returns_array(node, makers)}
    for node in nodes:
        taken, more = taken_arrays(node, arrays), MORE.get(path, {}).get(node.name, "")
        given = words(node.returns) & arrays or returns_array(node, makers)
        if node.name != "__init__" and (taken or given or more):
            because = ", ".join(map(ast.unparse, taken)) or more or f"-> {ast.unparse(node.returns or node)}"
            names = [each.arg for each in taken] if len(taken) > 1 else []
            yield Counted(path, node.lineno, node.name, because, left_out(ast.get_docstring(node) or "", names))


def taken_arrays(node: Definition, arrays: set[str]) -> list[ast.arg]:
    """Return the parameters of a function that are arrays."""
    given = [*node.args.posonlyargs, *node.args.args, node.args.vararg, *node.args.kwonlyargs, node.args.kwarg]
    used = NAMES.keys() | used_as_arrays(node)
    typed = [(each, words(each.annotation)) for each in given if each is not None]
    return [each for each, kinds in typed if kinds & arrays or ("Any" in kinds and each.arg in used)]


def used_as_arrays(node: Definition) -> set[str]:
    """Return the names whose values go into numpy or TensorFlow, or of which an array's attribute is read."""
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and part.attr in ATTRIBUTES and isinstance(part.value, ast.Name):
            found.add(part.value.id)
        if isinstance(part, ast.Call) and of_library(part):
            found |= {argument.id for argument in part.args if isinstance(argument, ast.Name)}
    return found


def returns_array(node: Definition, makers: set[str]) -> bool:
    """Say whether a function returns, typed Any, an array that it made, at once or under a name of its own."""
    if "Any" not in words(node.returns):
        return False
    parts = list(ast.walk(node))
    made = {
        target.id
        for part in parts
        if isinstance(part, ast.Assign) and makes_array(part.value, makers)
        for target in part.targets
        if isinstance(target, ast.Name)
    }
    results = [part.value for part in parts if isinstance(part, ast.Return) and part.value]
    return any(makes_array(result, makers) or words(result) & made for result in results)


def makes_array(node: ast.AST, makers: set[str]) -> bool:
    """Say whether an expression has a call that gives an array: numpy's, TensorFlow's, an array's, or of makers."""
    calls = [part for part in ast.walk(node) if isinstance(part, ast.Call)]
    return any(of_library(call) or called(call)[-1] in ATTRIBUTES | makers for call in calls)


def of_library(call: ast.Call) -> bool:
    """Say whether a call is of numpy or TensorFlow, and takes or gives arrays."""
    name = called(call)
    return name[0] in {"np", "tf"} and name[-1] not in PLAIN and name[1] != "nest"


def called(call: ast.Call) -> list[str]:
    """Return the name of what is called, in its parts: ["tf", "nest", "flatten"]."""
    return ast.unparse(call.func).split(".")


def words(node: ast.AST | None) -> set[str]:
    """Return the words in an expression."""
    return set(re.findall(r"\w+", ast.unparse(node))) if node else set()


def array_names(trees: list[ast.Module]) -> set[str]:
    """Return the names of arrays in annotations: numpy's own, and the modules' aliases."""
    names = {"ndarray", "NDArray"}
    branches = [node for tree in trees for node in tree.body if isinstance(node, ast.If)]  # if TYPE_CHECKING
    blocks: list[ast.Module | ast.If] = [*trees, *branches]
    made = [node for block in blocks for node in block.body if isinstance(node, ast.Assign)]
    for _ in range(3):  # an alias may be of another
        for node in made:
            if isinstance(node.value, ast.Subscript) and words(node.value) & names:
                names |= {each.id for each in node.targets if isinstance(each, ast.Name) and each.id[0].isupper()}
    return names


def left_out(docstring: str, names: Sequence[str] = ()) -> tuple[str, ...]:
    """Return which of "shape", "dtype" and the names of parameters a docstring leaves out."""
    text = TABLES.sub("", docstring)
    unnamed = [f"word on {name}" for name in names if not re.search(rf"\b{name}\b", docstring)]
    return (*(what for what, form in (("shape", SHAPE), ("dtype", DTYPE)) if not form.search(text)), *unnamed)


@functools.cache
def every() -> list[Counted]:
    """Return the functions of the kit and of the harness that the rules take for functions of arrays."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    texts = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in paths}
    trees = {path: ast.parse(text) for path, text in texts.items() if re.search(r"\bAny\b|Array|ndarray", text)}
    arrays = array_names(list(trees.values()))
    return [each for path, tree in trees.items() for each in counted(tree, path, arrays)]


def test_functions_of_arrays_say_shape_and_dtype() -> None:
    found = [each for each in every() if each.name not in NO_ARRAYS.get(each.path, {})]
    lacking = [f"{e.path}:{e.line} {e.name} ({e.because}): no {' and no '.join(e.lacks)}" for e in found if e.lacks]
    assert not lacking, "\n".join([f"{len(lacking)} of {len(found)} docstrings leave out shape or dtype:", *lacking])
    assert len(found) > 200  # the rules see them: there were 267


def test_public_functions_have_docstrings() -> None:
    paths = sorted((ROOT / "kit").rglob("*.py"))
    bare = [
        f"{path.relative_to(ROOT)}:{line} {name}" for path in paths for line, name in undocumented(path.read_text())
    ]
    assert not bare, "\n".join(["these have no docstring:", *bare])


def undocumented(code: str) -> list[tuple[int, str]]:
    """Return the line and name of a module's public functions, and its public classes' methods, without a docstring."""
    body = ast.parse(code).body
    classes = [node for node in body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    nodes = [node for block in (body, *(each.body for each in classes)) for node in block]
    public = [node for node in nodes if isinstance(node, Definition) and not node.name.startswith("_")]
    return [(node.lineno, node.name) for node in public if not ast.get_docstring(node)]


def test_a_missing_docstring_is_found() -> None:
    code = 'def f(): ...\nclass A:\n    def g(self): ...\n    def h(self):\n        """Say h."""\n    def _i(self): ...'
    assert undocumented(code) == [(1, "f"), (3, "g")]


def test_what_is_listed_is_still_there() -> None:
    found = {(each.path, each.name) for each in every()}
    listed = {(path, name) for path, names in (*MORE.items(), *NO_ARRAYS.items()) for name in names}
    assert not listed - found


@pytest.mark.parametrize(
    ("code", "because"),
    [
        ("def f(a: np.ndarray) -> int: ...", "a: np.ndarray"),
        ("def f() -> dict[str, NDArray[np.uint8]]: ...", "-> dict[str, NDArray[np.uint8]]"),
        ("Arrays = Mapping[str, np.ndarray]\nBy = Mapping[str, Arrays]\ndef f(a: By) -> int: ...", "a: By"),
        ("def f(*tensors: Any) -> None: ...", "tensors: Any"),
        ("def f(a: Any) -> int: return a.ndim", "a: Any"),
        ("def f(a: list[Any]) -> int: return int(np.max(a))", "a: list[Any]"),
        ("def f() -> Any: return np.zeros(3)", "-> Any"),
        ("def f() -> Any:\n    a = tf.zeros(3)\n    return [a]", "-> Any"),
        ("def f() -> Any: return _g()\ndef _g() -> Any: return np.zeros(3)", "-> Any"),
        ("def _f(a: np.ndarray) -> None: ...", "a: np.ndarray"),
        ("class A:\n    def __call__(self, x: Any) -> None: ...", "x: Any"),
        ("def f() -> None:\n    def g(a: np.ndarray) -> None: ...", "a: np.ndarray"),
    ],
)
def test_the_count_sees(code: str, because: str) -> None:
    assert {(each.because, each.lacks) for each in seen(code)} == {(because, ("shape", "dtype"))}


@pytest.mark.parametrize(
    "code",
    [
        "def f(a: int) -> str: ...",
        "def f(node: Any) -> Any: return node.name",
        "def f(a: Any) -> Any: return tf.function(a)",
        "class A:\n    def __init__(self, a: np.ndarray) -> None: ...",
    ],
)
def test_the_count_leaves_out(code: str) -> None:
    assert seen(code) == []


@pytest.mark.parametrize(
    ("docstring", "lacks"),
    [
        ("Return float32 [N, H, W, C].", ()),
        ("Return raw [vectors, *shape of one call].", ()),
        ("Return a float64 scalar.", ()),
        ("Return x, of any shape, in its own dtype.", ()),
        ("Return a [channels].", ("dtype",)),
        ("Return the floats.", ("shape", "dtype")),
        ("Return int8 samples: [quantize] count of them.", ("shape",)),
        ("Return int8 samples, see [[inputs]] shape and [variables.train].", ("shape",)),
    ],
)
def test_what_a_docstring_leaves_out(docstring: str, lacks: tuple[str, ...]) -> None:
    assert left_out(docstring) == lacks


def test_a_docstring_names_each_of_several_arrays() -> None:
    (found,) = seen('def f(a: np.ndarray, b: np.ndarray, n: int) -> None:\n    """Compare a with it, float32 [N]."""')
    assert found.lacks == ("word on b",)


def seen(code: str) -> list[Counted]:
    """Return what of a module's functions is counted."""
    tree = ast.parse(code)
    return list(counted(tree, "x.py", array_names([tree])))
