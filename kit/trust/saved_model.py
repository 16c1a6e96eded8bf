"""What a SavedModel asks for beyond computing: operators that are on no list, and files out of its folder.

Looks through every graph, every function, the initializers and the assets, without TensorFlow. Source of the fields:
tensorflow/core/protobuf/{saved_model,meta_graph,saved_object_graph}.proto and
tensorflow/core/framework/{graph,function,node_def,attr_value,tensor}.proto.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from kit.shared.protobuf import entries, fields, last, merged, numbers, text
from kit.trust.allowed import Ask, allowed

# A Python function is not in the file: the worker refuses these in words of its own, and nothing of them can run.
_PYTHON = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}
# Which inputs are names of files. TensorFlow gives these a path in the SavedModel: of its variables, or of an asset.
_FILE_INPUTS: Mapping[str, tuple[int, ...]] = {
    "InitializeTableFromTextFile": (1,),
    "InitializeTableFromTextFileV2": (1,),
    "MergeV2Checkpoints": (0, 1),
    "Restore": (0,),
    "RestoreSlice": (0,),
    "RestoreV2": (0,),
    "Save": (0,),
    "SaveSlices": (0,),
    "SaveV2": (0,),
}
# Operators that make a name of a file of others.
_NAMING = set(
    "Identity StringJoin Select SelectV2 ShardedFilename ShardedFilespec Pack Reshape ExpandDims Squeeze "
    "StaticRegexFullMatch PlaceholderWithDefault".split()
)
_PARTS = re.compile(r"(model|\.part|_temp(_[0-9a-f]+)?/part|[^/.]*)")  # what TensorFlow puts into such a name itself
_STREAMS = {"", "stderr", "stdout", "log(info)", "log(warning)", "log(error)"}
_STRING = 7  # DT_STRING
_DEEPEST = 50
_BOUND = ""  # what the file's objects give to a function
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}


def asks_of_saved_model(folder: Path) -> list[Ask]:
    """Return what the SavedModel in folder asks for. Raises OSError, or ValueError where it is no message."""
    content = (folder / "saved_model.pb").read_bytes()
    asks = [ask for graph in fields(content, 2) for ask in _asks_of_graph(graph)]
    inside = folder.resolve()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            asks.append(Ask("file", "the folder", f"has a link that leads out of it: {name}"))
        elif not path.is_dir() and not path.is_file():
            asks.append(Ask("file", "the folder", f"has a pipe or a device in it: {name}"))
    return asks


@dataclass(frozen=True)
class _Node:
    name: str
    operator: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, bytes]

    @property
    def data(self) -> tuple[str, ...]:
        """Return its inputs without those that only order."""
        return tuple(each for each in self.inputs if not each.startswith("^"))

    def functions(self) -> Iterator[str]:
        """Yield the names of the functions that it calls."""
        for value in self.attributes.values():
            lists = merged(value, 1)
            for named in (*fields(value, 10), *fields(lists, 9)):
                yield text(last(named, 1))


@dataclass
class _Graph:
    """A graph, or a function with its arguments."""

    name: str
    nodes: tuple[_Node, ...]
    arguments: tuple[str, ...] = ()
    callers: list[tuple[_Graph, _Node]] = field(default_factory=list)

    @cached_property
    def by_name(self) -> dict[str, _Node]:
        """Return its nodes by their names."""
        return {node.name: node for node in self.nodes}

    @property
    def where(self) -> str:
        return f" of the function '{self.name}'" if self.name else ""


def _asks_of_graph(meta: bytes) -> Iterator[Ask]:
    """Yield what one meta graph asks for."""
    definition = merged(meta, 2)
    assets = {text(last(merged(each, 1), 1)).partition(":")[0]: text(last(each, 2)) for each in fields(meta, 6)}
    for name in assets.values():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "://" in name:
            yield Ask("file", "an asset", f"lies out of the folder: {name!r}")
    main = _graph("", fields(definition, 1), ())
    functions = [
        _graph(text(last(merged(each, 1), 1)), fields(each, 3), _arguments(merged(each, 1)))
        for each in fields(merged(definition, 2), 1)
    ]
    by_name = {graph.name: graph for graph in functions}
    for graph in (main, *functions):
        for node in graph.nodes:
            for called in {*node.functions(), node.operator} & set(by_name):
                by_name[called].callers.append((graph, node))
    foreign = _foreign_constant(meta, main, assets)
    for graph in (main, *functions):
        for node in graph.nodes:
            yield from _asks_of_node(node, graph, assets, foreign, set(by_name))


def _graph(name: str, nodes: Iterator[bytes], arguments: tuple[str, ...]) -> _Graph:
    return _Graph(name, tuple(_node(each) for each in nodes), arguments)


def _node(message: bytes) -> _Node:
    inputs = tuple(text(each) for each in fields(message, 3))
    return _Node(text(last(message, 1)), text(last(message, 2)), inputs, dict(entries(message, 5)))


def _arguments(signature: bytes) -> tuple[str, ...]:
    return tuple(text(last(each, 1)) for each in fields(signature, 2))


def _asks_of_node(
    node: _Node, graph: _Graph, assets: Mapping[str, str], foreign: str, functions: set[str]
) -> Iterator[Ask]:
    where = f"the operation '{node.name}'{graph.where}"
    if node.operator == "PrintV2":
        stream = text(last(node.attributes.get("output_stream", b""), 2))
        if stream not in _STREAMS:
            yield Ask("file", where, f"prints into {stream!r}")
    elif node.operator in _FILE_INPUTS:
        for at in _FILE_INPUTS[node.operator]:
            named = _names(node.data[at], graph, assets, 0) if at < len(node.data) else {"a name that it has not"}
            named = named - {_BOUND} | ({foreign} if foreign and _BOUND in named else set())
            for name in sorted(named):
                yield Ask("file", where, f"opens {name} ({node.operator})")
    elif node.operator not in allowed().operators | _PYTHON | functions | {"ShardedFilename", "ShardedFilespec"}:
        yield Ask("symbol", where, f"runs the operator {node.operator}")


def _names(source: str, graph: _Graph, assets: Mapping[str, str], depth: int) -> set[str]:
    """Return what a file's name is made of that TensorFlow does not put there itself."""
    head = source.partition(":")[0]
    if depth > _DEEPEST:
        return {"a name that is made of too many others"}
    if head in graph.arguments:
        return _given(graph, graph.arguments.index(head), assets, depth)
    made = graph.by_name.get(head)
    if made is None or made.operator in {"Placeholder", "PlaceholderV2"} or (not graph.name and head in assets):
        return set()
    if made.operator == "Const":
        return {f"'{value}'" for value in _strings(made) if not _PARTS.fullmatch(value)}
    separator = text(last(made.attributes.get("separator", b""), 2))
    if made.operator not in _NAMING or not _PARTS.fullmatch(separator):
        return {f"a name that {made.operator} makes"}
    return set().union(*(_names(each, graph, assets, depth + 1) for each in made.data))


def _given(graph: _Graph, at: int, assets: Mapping[str, str], depth: int) -> set[str]:
    """Return the same of a function's argument: what it is bound to, where nothing in the graph calls the function."""
    found: set[str] = set() if graph.callers else {_BOUND}
    for other, node in graph.callers:
        given = node.data[at : at + 1] if node.operator in {*_CALLS, graph.name} else node.data
        for each in given:
            found |= _names(each, other, assets, depth + 1)
    return found


def _strings(node: _Node) -> list[str]:
    """Return the texts of a constant, none where it holds something else."""
    tensor = merged(node.attributes.get("value", b""), 8)
    packed = [text(each) for each in fields(tensor, 4) if _STRING in numbers(tensor, 1)]  # lengths, then the texts
    return [*(text(each) for each in fields(tensor, 8)), *packed]


def _foreign_constant(meta: bytes, main: _Graph, assets: Mapping[str, str]) -> str:
    """Return a path that the file's objects give to functions as a constant, "" where there is none."""
    for item in fields(merged(meta, 7), 1):
        operation = text(last(merged(item, 9), 1))
        node = main.by_name.get(operation)
        if node is not None and operation not in assets:
            for value in _strings(node):
                if "/" in value and not _PARTS.fullmatch(value):
                    return f"'{value}'"
    return ""
