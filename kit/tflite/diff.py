"""What differs between two .tflite files, in a user's words. Reads no file and runs no model.

Tensors have no identity across files: converters rename, renumber and reorder them. They are paired by their name, or
by their place in the same order of operators, whichever leaves less to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from kit.tflite.describe import escaped, metadata_rows, quoted, tensor_type
from kit.tflite.diff_constants import apart, granularity
from kit.tflite.model import (
    Metadata,
    Operator,
    Quantization,
    Signature,
    Subgraph,
    Tensor,
    TfliteFile,
)

if TYPE_CHECKING:
    pass

KINDS = ("operators", "signatures", "tensors", "constants", "metadata", "layout")
Pairs = dict[int, int]  # tensor of A -> the same one of B


@dataclass(frozen=True)
class Difference:
    """One thing that differs; `text` is about A, then B."""

    kind: str  # one of KINDS
    text: str
    structural: bool  # another graph; else the same one with other numbers or names


@dataclass(frozen=True)
class Diff:
    """All that differs, in the order of KINDS and then of the file."""

    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Say whether the files are the same bytes."""
        return not self.differences

    @property
    def same_structure(self) -> bool:
        """Say whether both are one graph.

        That is: operators in order, with versions, options and wiring; shapes and types of tensors, which are
        constant, and per which axis they are quantized; signature names, their order and their tensors. Constants,
        scales, zero points, tensor names and metadata may differ.
        """
        return not any(difference.structural for difference in self.differences)

    def lines(self, most: int = 10) -> list[str]:
        """Return one line for each difference, `most` of each kind."""
        found = []
        for kind in KINDS:
            texts = [difference.text for difference in self.differences if difference.kind == kind]
            found += [f"{kind}: {text}" for text in texts[:most]]
            found += [f"{kind}: (+{len(texts) - most} more)"] if len(texts) > most else []
        return found

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON has it, not capped."""
        return asdict(self) | {"same": self.same, "same_structure": self.same_structure}


def compare(a: TfliteFile, b: TfliteFile) -> Diff:
    """Compare two files. The same bytes give no difference, other bytes at least one."""
    if (a.size, a.sha256) == (b.size, b.sha256):
        return Diff(())
    found = list(_graph_count(a, b))
    pairs = []
    for index, (graph_a, graph_b) in enumerate(zip(a.subgraphs, b.subgraphs, strict=False)):
        where = f"subgraph {index} " if len(a.subgraphs) > 1 else ""
        paired, differences = _subgraph(a, b, graph_a, graph_b)
        pairs.append(paired)
        found += [Difference(each.kind, where + each.text, each.structural) for each in differences]
    found += _signatures(a, b, pairs)
    found += _metadata(a, b)
    if not found:
        at = next((n for n, (x, y) in enumerate(zip(a.data, b.data, strict=False)) if x != y), min(a.size, b.size))
        text = f"the same content, laid out differently from byte {at:,} on ({_change(a.size, b.size)} bytes)"
        found.append(Difference("layout", text, False))
    return Diff(tuple(sorted(found, key=lambda each: KINDS.index(each.kind))))


def _graph_count(a: TfliteFile, b: TfliteFile) -> Iterator[Difference]:
    if len(a.subgraphs) != len(b.subgraphs):
        yield Difference("operators", f"subgraphs: {_change(len(a.subgraphs), len(b.subgraphs))}", True)


def _subgraph(a: TfliteFile, b: TfliteFile, graph_a: Subgraph, graph_b: Subgraph) -> tuple[Pairs, list[Difference]]:
    """Return the pairing that explains one graph by the other with the fewest words, and these."""
    pairings = [_by_name(graph_a, graph_b, {})]
    if _arities(graph_a) == _arities(graph_b):
        pairings.insert(0, _by_name(graph_a, graph_b, _by_place(graph_a, graph_b)))
    reported = [(pairs, list(_differences(a, b, graph_a, graph_b, pairs))) for pairs in pairings]
    return min(reported, key=lambda each: len(each[1]))


def _arities(graph: Subgraph) -> list[tuple[str, int, int]]:
    return [(operator.name, len(operator.inputs), len(operator.outputs)) for operator in graph.operators]


def _by_place(a: Subgraph, b: Subgraph) -> Pairs:
    """Pair what the n-th operators read and write."""
    pairs: Pairs = {}
    taken = set()
    for mine, other in zip(a.operators, b.operators, strict=True):
        for i, j in zip(mine.inputs + mine.outputs, other.inputs + other.outputs, strict=True):
            if min(i, j) >= 0 and i not in pairs and j not in taken:
                pairs[i] = j
                taken.add(j)
    return pairs


def _by_name(a: Subgraph, b: Subgraph, pairs: Pairs) -> Pairs:
    """Add pairs of one name, among the tensors that are not paired yet. The n-th of a name goes with the n-th."""
    taken = set(pairs.values())
    names: dict[str, list[int]] = {}
    for j in reversed(range(len(b.tensors))):
        if j not in taken:
            names.setdefault(b.tensors[j].name, []).append(j)
    left = [i for i in range(len(a.tensors)) if i not in pairs]
    return pairs | {i: names[name].pop() for i in left if names.get(name := a.tensors[i].name)}


def _differences(
    a: TfliteFile, b: TfliteFile, graph_a: Subgraph, graph_b: Subgraph, pairs: Pairs
) -> Iterator[Difference]:
    yield from _operators(graph_a, graph_b)
    if _arities(graph_a) == _arities(graph_b):
        for index, (mine, other) in enumerate(zip(graph_a.operators, graph_b.operators, strict=True)):
            where = f"{index} {escaped(mine.name)}"
            yield from _options(where, mine, other)
            yield from _wires(f"{where} reads", mine.inputs, other.inputs, pairs, graph_a, graph_b)
            yield from _wires(f"{where} writes", mine.outputs, other.outputs, pairs, graph_a, graph_b)
    yield from _wires("the graph reads", graph_a.inputs, graph_b.inputs, pairs, graph_a, graph_b)
    yield from _wires("the graph gives", graph_a.outputs, graph_b.outputs, pairs, graph_a, graph_b)
    paired = set(pairs.values())
    yield from _only("A", "removed", graph_a, [i for i in range(len(graph_a.tensors)) if i not in pairs])
    yield from _only("B", "added", graph_b, [j for j in range(len(graph_b.tensors)) if j not in paired])
    yield from _names_left(graph_a, graph_b, pairs)
    for i, j in sorted(pairs.items()):
        mine_, other_ = graph_a.tensors[i], graph_b.tensors[j]
        name = quoted(mine_.name or other_.name or f"#{i}")
        yield from _tensor(name, mine_, other_)
        if text := apart(a, b, mine_, other_):
            yield Difference("constants", f"{name} {tensor_type(mine_)}: {text}", False)


def _operators(a: Subgraph, b: Subgraph) -> Iterator[Difference]:
    """Tell operators by count and version, then the first place where the order differs."""
    codes_a = [(operator.name, operator.version) for operator in a.operators]
    codes_b = [(operator.name, operator.version) for operator in b.operators]
    counts_a, counts_b = Counter(codes_a), Counter(codes_b)
    for name in dict.fromkeys(name for name, _ in codes_a + codes_b):
        before, after = _versions(name, counts_a), _versions(name, counts_b)
        if before != after:
            yield Difference("operators", f"{escaped(name)}: {before} -> {after}", True)
    names_a, names_b = [name for name, _ in codes_a], [name for name, _ in codes_b]
    if names_a != names_b:
        at, (mine, other) = next((n, p) for n, p in enumerate(zip_longest(names_a, names_b)) if p[0] != p[1])
        yield Difference(
            "operators", f"order: {at} is {escaped(mine or 'absent')} -> {escaped(other or 'absent')}", True
        )


def _versions(name: str, counts: Mapping[tuple[str, int], int]) -> str:
    return ", ".join(f"v{v} x{n}" for (each, v), n in sorted(counts.items()) if each == name) or "none"


def _options(where: str, a: Operator, b: Operator) -> Iterator[Difference]:
    for name in dict.fromkeys([*a.options, *b.options]):
        before, after = a.options.get(name, "absent"), b.options.get(name, "absent")
        if before != after:
            yield Difference("operators", f"{where}: {name} {before!r} -> {after!r}", True)


def _wires(
    where: str, a: Sequence[int], b: Sequence[int], pairs: Pairs, graph_a: Subgraph, graph_b: Subgraph
) -> Iterator[Difference]:
    """Tell where an operator or graph has another tensor than the one that A's is paired with."""
    if [pairs.get(i, i if i < 0 else None) for i in a] != list(b):
        before, after = (
            ", ".join(_called(graph, i) if i >= 0 else "none" for i in indices) or "nothing"
            for graph, indices in ((graph_a, a), (graph_b, b))
        )
        yield Difference("operators", f"{where} {before} -> {after}", True)


def _only(where: str, what: str, graph: Subgraph, tensors: Sequence[int]) -> Iterator[Difference]:
    for index in tensors:
        shown = f"{_called(graph, index)} {tensor_type(graph.tensors[index])}"
        yield Difference("tensors", f"{what}: {shown}, only in {where}", True)


def _called(graph: Subgraph, index: int) -> str:
    """Return what a tensor is called: by its index, where the file has no name for it."""
    return quoted(graph.tensors[index].name or f"#{index}")


def _names_left(a: Subgraph, b: Subgraph, pairs: Pairs) -> Iterator[Difference]:
    """Say how many tensors have a name in one file only."""
    named = [(bool(a.tensors[i].name), bool(b.tensors[j].name)) for i, j in pairs.items()]
    for side, only in (("A", (True, False)), ("B", (False, True))):
        if count := named.count(only):
            yield Difference("tensors", f"{count} have names in {side} only", False)


def _tensor(name: str, a: Tensor, b: Tensor) -> Iterator[Difference]:
    if a.name and b.name and a.name != b.name:
        yield Difference("tensors", f"{name}: renamed to {quoted(b.name)}", False)
    if tensor_type(a) != tensor_type(b) or a.shape != b.shape:
        shapes = "" if tensor_type(a) != tensor_type(b) else f" ({_change(a.shape, b.shape)})"
        yield Difference("tensors", f"{name}: {_change(tensor_type(a), tensor_type(b))}{shapes}", True)
    for what, before, after in (
        ("constant", a.sha256 is not None, b.sha256 is not None),
        ("a variable", a.is_variable, b.is_variable),
        ("sparse", a.sparse, b.sparse),
    ):
        if before != after:
            yield Difference("tensors", f"{name}: {what} in {'A' if before else 'B'} only", True)
    if a.quantization != b.quantization:
        yield from (
            Difference("tensors", f"{name}: {text}", structural)
            for text, structural in _affine(a.quantization, b.quantization)
        )


def _affine(a: Quantization | None, b: Quantization | None) -> Iterator[tuple[str, bool]]:
    if a is None or b is None:
        yield f"quantized in {'A' if a else 'B'} only", True
        return
    before, after = granularity(a), granularity(b)
    if before != after:
        yield f"{before} -> {after}", True
        return
    scales = [(n, x, y) for n, (x, y) in enumerate(zip(a.scales, b.scales, strict=True)) if x != y]
    if scales:
        n, x, y = max(scales, key=lambda each: abs(_relative(each[1], each[2])))
        text = f"scale {x:.9g} -> {y:.9g} ({100 * _relative(x, y):+.2g} %)"
        many = f"{len(scales)} of {len(a.scales)} scales differ, most of all channel {n}: "
        yield (many if len(a.scales) > 1 else "") + text, False
    zeros = [(n, p) for n, p in enumerate(zip_longest(a.zero_points, b.zero_points, fillvalue=0)) if p[0] != p[1]]
    if zeros:
        n, (p, q) = max(zeros, key=lambda each: abs(each[1][0] - each[1][1]))
        many = f"{len(zeros)} of {len(a.scales)} zero points differ, most of all channel {n}: "
        yield (many if len(a.scales) > 1 else "") + f"zero point {p} -> {q}", False


def _relative(a: float, b: float) -> float:
    """Return the change from a to b as a fraction of a."""
    return (b - a) / abs(a) if a else float("inf")


def _signatures(a: TfliteFile, b: TfliteFile, pairs: Sequence[Pairs]) -> Iterator[Difference]:
    keys_a, keys_b = ([signature.key for signature in file.signatures] for file in (a, b))
    if keys_a != keys_b:
        yield Difference("signatures", f"{_names(keys_a)} -> {_names(keys_b)}", True)
    others = {signature.key: signature for signature in b.signatures}
    for mine in a.signatures:
        if other := others.get(mine.key):
            yield from _signature(a, b, mine, other, pairs)


def _signature(
    a: TfliteFile, b: TfliteFile, mine: Signature, other: Signature, pairs: Sequence[Pairs]
) -> Iterator[Difference]:
    key = quoted(mine.key)
    if mine.subgraph != other.subgraph:
        yield Difference("signatures", f"{key}: of subgraph {_change(mine.subgraph, other.subgraph)}", True)
        return
    for what, before, after in (("inputs", mine.inputs, other.inputs), ("outputs", mine.outputs, other.outputs)):
        if list(before) != list(after):
            yield Difference("signatures", f"{key} {what}: {_names(before)} -> {_names(after)}", True)
        # A subgraph that only one of the files has is reported already.
        paired = pairs[mine.subgraph] if mine.subgraph < len(pairs) else {}
        for name in [name for name in before if name in after and paired.get(before[name]) != after[name]]:
            places = ((a, before[name]), (b, after[name]))
            tensors = [file.subgraphs[mine.subgraph].tensors[index] for file, index in places]
            texts = [f"{quoted(tensor.name)} {tensor_type(tensor)}" for tensor in tensors]
            yield Difference("signatures", f"{key} {what}: {quoted(name)} is {texts[0]} -> {texts[1]}", True)


def _metadata(a: TfliteFile, b: TfliteFile) -> Iterator[Difference]:
    for what, before, after in (
        ("description", quoted(a.description), quoted(b.description)),
        ("schema version", a.schema, b.schema),
    ):
        if before != after:
            yield Difference("metadata", f"{what}: {_change(before, after)}", False)
    for name in dict.fromkeys(entry.name for entry in a.metadata + b.metadata):
        entries = [[entry for entry in file.metadata if entry.name == name] for file in (a, b)]
        if entries[0] != entries[1]:
            before, after = (", ".join(map(_entry, each)) or "absent" for each in entries)
            text = _change(before, after) if before != after else f"other content ({before})"
            yield Difference("metadata", f"{quoted(name)}: {text}", False)
    yield from _said(a, b)


def _said(a: TfliteFile, b: TfliteFile) -> Iterator[Difference]:
    """Tell what two files say of themselves, line by line."""
    before, after = ([" ".join(row) for row in metadata_rows(file)] for file in (a, b))
    yield from (Difference("metadata", f"only in A: {line}", False) for line in before if line not in after)
    yield from (Difference("metadata", f"only in B: {line}", False) for line in after if line not in before)


def _entry(entry: Metadata) -> str:
    return escaped(entry.text) if entry.text else f"{entry.size:,} bytes"


def _names(names: Sequence[str] | Mapping[str, int]) -> str:
    return ", ".join(map(quoted, names)) or "none"


def _change(before: object, after: object) -> str:
    return f"{before} -> {after}"


def table(a: TfliteFile, b: TfliteFile, diff: Diff) -> list[str]:
    """Return a comparison as lines to read: both files, what differs, and the verdict."""
    lines = [f"{mark} {file.path}  {file.size:,} bytes  sha256 {file.sha256}" for mark, file in (("A", a), ("B", b))]
    if diff.same:
        return [*lines, "the same bytes"]
    reported = [line.partition(": ") for line in diff.lines()]
    verdict = "the same structure" if diff.same_structure else "another structure"
    return [*lines, "", *(f"{kind:10}  {text}" for kind, _, text in reported), "", f"{verdict}, other bytes"]
