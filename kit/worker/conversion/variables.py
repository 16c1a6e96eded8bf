"""What becomes of each variable of the source model: kept, a constant, folded into another op, or not used."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kit.shared.job import JobError, VariableStatus
from kit.worker.graph.freeze import Frozen, with_hidden
from kit.worker.graph.needed import base, data
from kit.worker.graph.subgraph import nodes_of
from kit.worker.source.contract import Contract
from kit.worker.source.model import Source, Variable, nearest

# What only hands a value on.
_THROUGH = {"Identity", "Cast", "Reshape", "Transpose", "ExpandDims", "Squeeze", "ReadVariableOp", "StopGradient"}
# What takes weights.
_LINEAR = {"Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "MatMul", "BatchMatMulV2", "Einsum"}
_ARITHMETIC = {"Add", "AddV2", "Sub", "Mul", "RealDiv", "Rsqrt", "Sqrt", "Square", "Neg", "Maximum", "BiasAdd"}


@dataclass(frozen=True)
class Keeping:
    """The variables of a source with what its functions use beside them, and which of them stay variables."""

    variables: tuple[Variable, ...]
    keep: tuple[Variable, ...]
    initial: dict[str, np.ndarray]  # the kept ones' values

    @property
    def names(self) -> set[str]:
        """Return the names of those that stay."""
        return set(self.initial)


def keeping(source: Source, contracts: Sequence[Contract], patterns: Sequence[str]) -> Keeping:
    """Return what stays a variable. Raises JobError for a pattern such as "head/*" that names none."""
    variables = with_hidden(source.variables, [contract.traced for contract in contracts])
    # What random layers draw from is new on every load: kept, it would give other bytes each time.
    keep = _named([each for each in variables if each.name not in source.states], patterns)
    return Keeping(variables, keep, {each.name: np.asarray(each.value.read_value()) for each in keep})


def _named(variables: Sequence[Variable], patterns: Sequence[str]) -> tuple[Variable, ...]:
    names = [variable.name for variable in variables]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise JobError(
                "recipe", f"[variables] keep: no variable's name is like '{pattern}'", nearest(pattern, names)
            )
    return tuple(v for v in variables if any(fnmatch.fnmatchcase(v.name, pattern) for pattern in patterns))


def statuses(
    variables: Sequence[Variable], graphs: Sequence[Frozen], keep: Sequence[Variable]
) -> tuple[VariableStatus, ...]:
    """Return the status of every variable, in the source's order. graphs: of all signatures."""
    traces = [_Trace(frozen) for frozen in graphs]
    names = {variable.name for variable in keep}
    return tuple(_status(variable, traces, variable.name in names) for variable in variables)


def _status(variable: Variable, traces: Sequence[_Trace], stays: bool) -> VariableStatus:
    reported = [trace.readers(variable.name) for trace in traces]
    readers = list(dict.fromkeys(name for reader in reported for name, _ in reader))
    folded = bool(readers) and all(into for reader in reported for _, into in reader)
    where = ", ".join(readers[:3]) + (f" and {len(readers) - 3} more" if len(readers) > 3 else "")
    if stays:
        status = "kept"
    elif readers:
        status = "folded" if folded else "constant"
    else:
        status, where = "unused", "no output depends on it"
    value = variable.value
    return VariableStatus(
        variable.name, tuple(int(n) for n in value.shape), np.dtype(value.dtype.as_numpy_dtype).name, status, where
    )


class _Trace:
    """Follows a value through one graph, from the node that holds it to the ops that use it."""

    def __init__(self, frozen: Frozen) -> None:
        self.holders = {**frozen.constants, **frozen.kept}
        self.nodes = {node.name: node for node in nodes_of(frozen.unfolded)}
        self.consumers: dict[str, list[Any]] = {}
        for node in self.nodes.values():
            for name in data(node):
                self.consumers.setdefault(base(name), []).append(node)
        self.needed = self._upstream([*frozen.outputs, *frozen.assigns])
        self.fixed: dict[str, bool] = {}

    def readers(self, variable: str) -> list[tuple[str, bool]]:
        """Return (op, whether the value is folded into it) of each op that uses the variable."""
        if variable not in self.holders or self.holders[variable] not in self.needed:
            return []
        found: dict[str, bool] = {}
        seen, waiting = set(), [self.holders[variable]]
        while waiting:
            name = waiting.pop()
            for node in self.consumers.get(name, ()):
                if node.name in seen or node.name not in self.needed:
                    continue
                seen.add(node.name)
                if node.op in _THROUGH or self.constant(node.name):
                    waiting.append(node.name)
                else:
                    found.update([self._used(node)])
        return sorted(found.items())

    def _used(self, node: Any) -> tuple[str, bool]:
        """Return the op that a value ends in: that of a batch normalization is the convolution before it."""
        before = node
        while before.op in _ARITHMETIC or before.op.startswith("FusedBatchNorm") or before.op in _THROUGH:
            moving = [base(name) for name in data(before) if not self.constant(base(name))]
            if len(moving) != 1 or moving[0] not in self.nodes:
                break
            before = self.nodes[moving[0]]
        if node is not before and before.op in _LINEAR and node.op != "BiasAdd":
            return _short(before.name), True
        return _short(node.name), False

    def constant(self, name: str) -> bool:
        """Say whether a node's value follows from constants alone."""
        if name not in self.fixed:
            node = self.nodes.get(name)
            self.fixed[name] = False
            inputs = [] if node is None else [base(each) for each in data(node)]
            self.fixed[name] = node is not None and (
                node.op == "Const"
                or (node.op in _THROUGH | _ARITHMETIC and all(self.constant(each) for each in inputs))
            )
        return self.fixed[name]

    def _upstream(self, ends: Iterable[str]) -> set[str]:
        seen: set[str] = set()
        waiting = [base(end) for end in ends]
        while waiting:
            name = waiting.pop()
            if name not in seen and name in self.nodes:
                seen.add(name)
                waiting += [base(each) for each in data(self.nodes[name])]
        return seen


def _short(name: str) -> str:
    """Return an op's name without the calls that a SavedModel wraps it in."""
    return re.sub(r"^((Stateful)?PartitionedCall(_\d+)?/)+", "", name)
