"""What a SavedModel asks for beyond computing: operators that are on no list, and files out of its folder.

Looks through every graph, every function, the initializers and the assets, without TensorFlow. Source of the fields:
tensorflow/core/protobuf/{saved_model,meta_graph,saved_object_graph}.proto and
tensorflow/core/framework/{graph,function,node_def,attr_value,tensor}.proto.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from kit.shared.protobuf import entries, fields, last, merged, numbers, packed, text
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
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}


def asks_of_saved_model(folder: Path) -> list[Ask]:
    """Return what the SavedModel in folder asks for. Raises OSError, or ValueError where it is no message."""
    content = (folder / "saved_model.pb").read_bytes()
    asks = [ask for graph in fields(content, 2) for ask in _asks_of_graph(graph)]
    return asks + [ask for path in sorted(folder.rglob("*")) for ask in _asks_of_path(path, folder)]


def _asks_of_path(path: Path, folder: Path) -> Iterator[Ask]:
    name = path.relative_to(folder)
    if path.is_symlink():
        end = Path(os.path.realpath(path))
        if not end.is_relative_to(folder.resolve()):
            yield Ask("file", "the folder", f"has a link that leads out of it: {name}")
        elif not end.is_file():  # to a folder around it, a copy of it would never end
            raise ValueError(f"{name} is a link to no file")
    elif not path.is_dir() and not path.is_file():
        yield Ask("file", "the folder", f"has a pipe or a device in it: {name}")


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
    bound: Mapping[int, frozenset[str]] = field(default_factory=dict)  # what the file's objects give, by argument
    callers: list[tuple[_Graph, _Node]] = field(default_factory=list)

    @cached_property
    def by_name(self) -> dict[str, _Node]:
        """Return its nodes by their names."""
        return {node.name: node for node in self.nodes}

    @property
    def where(self) -> str:
        return f" of the function '{self.name}'" if self.name else ""


_Source = tuple[str, _Graph]  # a node or an argument, by the name that inputs have for it, and where it is


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
    given = _bound_inputs(merged(meta, 7), main, assets)
    for graph in functions:
        own = given.get(graph.name, [])
        graph.bound = {len(graph.arguments) - len(own) + i: names for i, names in enumerate(own)}
    by_name = {graph.name: graph for graph in functions}
    for graph in (main, *functions):
        for node in graph.nodes:
            for called in {*node.functions(), node.operator} & set(by_name):
                by_name[called].callers.append((graph, node))
    for graph in (main, *functions):
        for node in graph.nodes:
            yield from _asks_of_node(node, graph, assets, set(by_name))


def _graph(name: str, nodes: Iterator[bytes], arguments: tuple[str, ...]) -> _Graph:
    return _Graph(name, tuple(_node(each) for each in nodes), arguments)


def _node(message: bytes) -> _Node:
    inputs = tuple(text(each) for each in fields(message, 3))
    return _Node(text(last(message, 1)), text(last(message, 2)), inputs, dict(entries(message, 5)))


def _arguments(signature: bytes) -> tuple[str, ...]:
    return tuple(text(last(each, 1)) for each in fields(signature, 2))


def _asks_of_node(node: _Node, graph: _Graph, assets: Mapping[str, str], functions: set[str]) -> Iterator[Ask]:
    where = f"the operation '{node.name}'{graph.where}"
    if node.operator == "PrintV2":
        attribute = node.attributes.get("output_stream", b"")
        stream = text(last(attribute, 2))
        if stream not in _STREAMS:
            yield Ask("file", where, f"prints into {stream!r}")
        elif last(attribute, 9):  # the name of an attribute of whoever calls the function
            yield Ask("file", where, "prints into what its caller names")
    elif node.operator in _FILE_INPUTS:
        for at in _FILE_INPUTS[node.operator]:
            named = _names(node.data[at], graph, assets) if at < len(node.data) else {"a name that it has not"}
            for name in sorted(named):
                yield Ask("file", where, f"opens {name} ({node.operator})")
    elif node.operator not in allowed().operators | _PYTHON | functions | {"ShardedFilename", "ShardedFilespec"}:
        yield Ask("symbol", where, f"runs the operator {node.operator}")


def _names(source: str, graph: _Graph, assets: Mapping[str, str]) -> set[str]:
    """Return what a file's name is made of that TensorFlow does not put there itself."""
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()  # functions can call one another in a ring, and in more ways than can be counted
    left: list[_Source] = [(source.partition(":")[0], graph)]
    while left:
        head, place = left.pop()
        if (head, place.name) not in seen:
            seen.add((head, place.name))
            names, more = _made_of(head, place, assets)
            found |= names
            left += [(each.partition(":")[0], other) for each, other in more]
    return found


def _made_of(head: str, graph: _Graph, assets: Mapping[str, str]) -> tuple[set[str], list[_Source]]:
    """Return what a node or an argument adds to a name itself, and what else it is made of."""
    if head in graph.arguments:
        return _given(graph, graph.arguments.index(head))
    made = graph.by_name.get(head)
    if made is None or made.operator in {"Placeholder", "PlaceholderV2"} or (not graph.name and head in assets):
        return set(), []
    if made.operator == "Const":
        return _foreign(made), []
    if made.operator == "ReadVariableOp" and not graph.name:
        return _assigned(made, graph)
    separator = text(last(made.attributes.get("separator", b""), 2))
    if made.operator not in _NAMING or not _PARTS.fullmatch(separator):
        return {f"a name that {made.operator} makes"}, []
    return set(), [(each, graph) for each in made.data]


def _given(graph: _Graph, at: int) -> tuple[set[str], list[_Source]]:
    """Return the same of a function's argument: what the file's objects and the function's callers give it."""
    more = []
    for other, node in graph.callers:
        given = node.data[at : at + 1] if node.operator in {*_CALLS, graph.name} else node.data
        more += [(each, other) for each in given]
    return set(graph.bound.get(at, ())), more


def _strings(node: _Node) -> list[str]:
    """Return the texts of a constant, none where it holds something else."""
    tensor = merged(node.attributes.get("value", b""), 8)
    packed = [text(each) for each in fields(tensor, 4) if _STRING in numbers(tensor, 1)]  # lengths, then the texts
    return [*(text(each) for each in fields(tensor, 8)), *packed]


def _foreign(node: _Node) -> set[str]:
    """Return the texts that a node holds, without those that TensorFlow puts into a file's name itself."""
    if last(node.attributes.get("value", b""), 9):
        return {"a name that its caller gives"}
    return {f"'{value}'" for value in _strings(node) if not _PARTS.fullmatch(value)}


def _assigned(node: _Node, main: _Graph) -> tuple[set[str], list[_Source]]:
    """Return the same of a variable of the main graph: TensorFlow keeps the path of an asset in one."""
    variable = node.data[0].partition(":")[0] if node.data else ""
    made = main.by_name.get(variable)
    users = [each for each in main.nodes if variable in {name.partition(":")[0] for name in each.data}]
    plain = {"AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp"}
    if made is None or made.operator != "VarHandleOp" or not {each.operator for each in users} <= plain:
        return {"a name that ReadVariableOp makes"}, []
    values = [each.data[1] for each in users if each.operator == "AssignVariableOp" and len(each.data) > 1]
    return set(), [(value, main) for value in values]


def _bound_inputs(objects: bytes, main: _Graph, assets: Mapping[str, str]) -> dict[str, list[frozenset[str]]]:
    """Return what the file's objects give to each function's last arguments, as names of files.

    An asset gives its own path, and a constant the value of a node in the main graph.
    """
    kinds = []
    for item in fields(objects, 1):
        names: set[str] = set()
        node = main.by_name.get(text(last(merged(item, 9), 1)))
        if node is not None and node.name not in assets:
            names = _foreign(node)
        if merged(item, 12):
            names |= {"a tensor of another function"}
        kinds.append(frozenset(names))
    none: frozenset[str] = frozenset()
    return {
        name: [kinds[at] if at < len(kinds) else none for at in packed(function, 2)]
        for name, function in entries(objects, 2)
    }
