"""Why Python, Keras or TensorFlow raised, in one plain sentence: which layer or operation, what is wrong, what to do.

Knows their messages by their words: neither says in a field what it means. What no row of the table knows keeps the
library's first sentence, without its examples and stack traces.
"""

from __future__ import annotations

import itertools
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.shared.job import CODE
from kit.worker.failures.layer_calls import failed_in

MOST = 300  # characters of a cause


@dataclass(frozen=True)
class Fault:
    """An exception in the user's words."""

    place: str  # "layer 'scale' (Scale), custom.py line 4"; "" where nothing says it
    cause: str
    hint: str = ""  # the next step, "" where the cause alone does not say one

    def __str__(self) -> str:
        return f"{self.place}: {self.cause}" if self.place else self.cause


@dataclass(frozen=True)
class _Row:
    """How a library says something: a pattern in its message, and the user's words, with the pattern's groups."""

    pattern: str
    cause: str
    hint: str


_TABLE = (
    _Row(
        r"OOM when allocating|Unable to allocate|bad_alloc|Cannot allocate memory|^MemoryError"
        # What importing says, of numpy's "source directory" too, where a library or a thread finds no room.
        r"|failed to map segment|Resource temporarily unavailable|^Error importing numpy",
        "it needs more memory than the job may have",
        "give it more, as in --memory 16g; or fewer samples, whose outputs lie in memory: [checks] data",
    ),
    _Row(r"name '(\w+)' is not defined", "'{0}' is not defined", "define or import '{0}' in [model] code"),
    _Row(
        r"create(?:d)? variables on (?:a )?non-first call|only supports singleton tf\.Variables"
        r"|cannot add new elements of state \(variables",
        "it makes a variable in its call",
        "make it in the layer's build(), by self.add_weight(...), so that a call only reads it",
    ),
    _Row(
        r"Using a symbolic `?tf\.Tensor`? as a Python `?bool`?|[Ii]terating over a symbolic `?tf\.Tensor`?"
        r"|A symbolic KerasTensor cannot be used as a (?:boolean|bool)",
        "Python's if, while or for goes by a tensor's value, which a trace does not have",
        "let TensorFlow choose: tf.where or tf.cond for if, tf.while_loop or tf.map_fn for a loop",
    ),
    _Row(
        r"has no attribute '(numpy|item|tolist)'|[Cc]annot convert a symbolic .*numpy array"
        r"|KerasTensor .*(?:NumPy|numpy)|numpy\(\) is only available|only (?:length-1|size-1) arrays can be converted",
        "it reads a tensor's value as a NumPy array, which a trace does not have",
        "calculate with TensorFlow's or keras.ops' operations there, not with NumPy's",
    ),
    _Row(
        r"(?:Input to reshape is a tensor with (\d+) values, but the requested shape (?:has|requires a multiple of) "
        r"(\d+)"
        r"|Cannot reshape a tensor with (\d+) elements to shape \[[^\]]*\] \((\d+) elements\))",
        "it reshapes {0} values, which do not fill its shape: that needs {1}, or a multiple of it",
        "keep the number of samples open in that reshape, and every other axis of the model's own size: "
        "keras.layers.Reshape, or tf.reshape(x, [-1, ...])",
    ),
    _Row(
        r"Dimension size must be evenly divisible by (\d+) but is (\d+)",
        "it reshapes {1} values to rows of {0}, which they do not fill",
        "keep the number of samples open in that reshape, and every other axis of the model's own size: "
        "keras.layers.Reshape, or tf.reshape(x, [-1, ...])",
    ),
    _Row(
        r"(indices\S* = -?\d+ is not in \[0, \d+\))",
        "{0}: an id beyond the end of a table",
        "feed ids that lie in the table: correct the data, or [[inputs]] range = [lowest, highest] of random samples",
    ),
    _Row(
        r"expected axis -1 of input shape to have value (\d+), but received input with shape \(?\[?([^)\]]*)",
        "it takes {0} values on the last axis, and gets the shape [{1}]",
        "give the shape that the model was trained with: [[inputs]] shape, without the batch axis",
    ),
    _Row(
        r"expected (?:min_)?n?dim=(\d+), found (?:n?dim=)?(\d+)",
        "it takes tensors of {0} axes, and gets one of {1}",
        "give the shape that the model was trained with: [[inputs]] shape, without the batch axis",
    ),
    _Row(
        r"(?:Matrix size-incompatible|Dimensions must be equal|Incompatible shapes|must be equal, but are)\W*(.*)",
        "two shapes do not go together: {0}",
        "give the shape that the model was trained with: [[inputs]] shape, without the batch axis",
    ),
    _Row(
        r"assertion failed: \[(?:\[[^\]]*\] )?([^\]]*)\]",
        "a check that the model carries fails on these values: {0}",
        "give values that pass it: [checks] data, or [[inputs]] range = [lowest, highest]; "
        "or leave the check out of the model's call",
    ),
    _Row(
        r"(\d+) were passed|missing (?:a|\d+) required (?:positional )?arguments?: (.*)",
        "its call takes other arguments than it gets: {0}",
        "give each tensor of its call, in its order, as [[inputs]] with name and shape",
    ),
    _Row(
        r"maximum recursion depth exceeded",
        "its parts are nested deeper than Python can follow",
        "save a model with fewer models inside models",
    ),
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NODE = re.compile(r"\{\{node ([^}]+)\}\}|Node: '([^']+)'")
_CALLED = re.compile(
    r"Exception encountered when calling (?:layer ['\"]([^'\"]+)['\"] \(type (\w+)\)|(\w+)\.call\(\))"
    r"|Example error message for object <(\w+) name=([^,>]+)"
    r"|(?:output shape|output's shape)[^\n]*? of '([^']+)' \(of type (\w+)\)"
)


def fault_of(error: BaseException) -> Fault:
    """Return where an exception comes from, what is wrong there, and what to do about it."""
    text = _COLOUR.sub("", str(error)) or type(error).__name__
    code, layer = _code_line(error), failed_in(error) or _named_layer(text)
    node = _node(text) if not code else ""
    place = ", ".join(filter(None, (layer, f"operation '{node}'" if node and not layer else "", code)))
    if isinstance(error, MemoryError):
        text = f"MemoryError {text}"
    for row in _TABLE:
        found = re.search(row.pattern, text)
        if found:
            words = [group for group in found.groups() if group] or [""]
            words = [*(" ".join(word.split())[:120] for word in words), "", ""]
            python = _python(error) if code and row.hint.startswith("define") else row.cause.format(*words)
            return Fault(place, python, row.hint.format(*words))
    return Fault(place, _python(error) if code else said(error)[:MOST], f"correct {code}" if code else "")


def described(error: BaseException) -> str:
    """Return an exception in one line: its place and its cause."""
    return str(fault_of(error))


def next_step(error: BaseException, otherwise: str) -> str:
    """Return what to do about an exception; otherwise: where its cause says nothing of that."""
    return fault_of(error).hint or otherwise


def said(error: BaseException) -> str:
    """Return the line of a message that says what is wrong: Keras puts configurations and stack traces before it."""
    if isinstance(error, SyntaxError):
        return error.msg
    text = _COLOUR.sub("", str(error))
    words = _sentence(_said([line.strip() for line in text.splitlines() if line.strip()]))
    return words or _NAMES.get(type(error).__name__, f"{type(error).__name__}, without a word")


_NAMES = {"NotImplementedError": "it needs what this TensorFlow has not implemented", "KeyError": "a name is missing"}


def _python(error: BaseException) -> str:
    """Return an error in the user's own code as Python calls it: there its kind helps who wrote the line."""
    name = type(error).__name__
    return f"{name}: {said(error)}"[:MOST] if str(error).strip() else name


def _said(lines: list[str]) -> str:
    pairs = list(itertools.pairwise(lines))
    for line, after in pairs:
        if after.startswith("[[{{node"):  # TensorFlow's own words on what failed in a graph, then where
            return re.sub(r"^\(\d+\) \w+: +", "", line)
        if "Example error message for object " in line:  # of the weights of one layer
            return after
    for line, after in pairs:
        if line.startswith("Exception encountered when calling ") or line.endswith("Error encountered:"):
            return _said(lines[lines.index(after) :])
    for line in reversed(lines):  # each object inside another puts its own before it
        if line.startswith("Exception encountered: "):
            return line.removeprefix("Exception encountered: ")
    return _first(lines)


def _first(lines: list[str]) -> str:
    """Return the first line that says something, behind TensorFlow's headings and stack traces as text."""
    if not lines:
        return ""
    if lines[0] == "in user code:":
        reported = [line for line in lines[1:] if not line.startswith("File ") and " " in line] or lines
        return re.sub(r"^\w+(Error|Exception): ", "", reported[-1])
    if lines[0].startswith("Graph execution error"):
        skipped = ("Detected at node", "File ", "Node:")
        return next((line for line in lines[1:] if not line.startswith(skipped)), "it fails when it runs")
    return lines[0]


def _sentence(text: str) -> str:
    """Return a message up to where Keras begins to quote a configuration or to list ways out."""
    text = re.split(r" Full object config: | You can attempt the following | If you are (?:using|running) ", text)[0]
    return re.split(r" Make sure custom classes and functions are decorated ", text)[0].strip()


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that it was raised for, the outermost first."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or at.__context__


def _code_line(error: BaseException) -> str:
    """Return "custom.py, line 4" for an exception out of the model's own code, "" for any other."""
    where = ""
    for each in _chain(error):
        if isinstance(each, SyntaxError) and Path(each.filename or "").name == CODE:
            where = f"{CODE}, line {each.lineno}"
        for frame in traceback.extract_tb(each.__traceback__):
            if Path(frame.filename).name == CODE and "kit/worker" not in frame.filename:
                where = f"{CODE}, line {frame.lineno}"  # the innermost counts
        found = re.findall(rf'File "[^"]*[/"]{CODE}", line (\d+)', str(each))
        if found and not where:  # a trace that was turned into text
            where = f"{CODE}, line {found[-1]}"
    return where


def _named_layer(text: str) -> str:
    """Return the layer that Keras's message names: the innermost of several."""
    found = _CALLED.findall(text)
    if not found:
        return ""
    name, kind, bare, other_kind, other, third, third_kind = found[-1]
    if name or other or third:
        return f"layer '{name or other or third}' ({kind or other_kind or third_kind})"
    return f"a layer of class {bare}"


def _node(text: str) -> str:
    found = _NODE.search(text)
    return (found[1] or found[2]) if found else ""
