"""Tables of whole numbers in a graph, as IntegerLookup makes them, written with operators that TFLite has.

A table from int64 to int64 becomes its keys and values as constants: the key that equals an element, found by ARG_MAX,
gives the value. TFLite's own tables are from text, or to text. Tables of text stay: what needs them is refused
elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2, types_pb2

from kit.worker.graph.needed import base
from kit.worker.graph.subgraph import grafted, rewritten

LARGEST = 100_000  # keys: beyond it, comparing with each takes longer than an app waits
_INTEGERS = {types_pb2.DT_INT32, types_pb2.DT_INT64}


@dataclass(frozen=True)
class Table:
    """What a table holds: keys [N] and values [N] of whole numbers."""

    keys: np.ndarray
    values: np.ndarray


def tables_of(traced: Any, graph: graph_pb2.GraphDef) -> dict[str, Table]:
    """Return the tables of whole numbers that a traced function looks things up in, by their placeholders."""
    finds = {base(node.input[0]): node for node in graph.node if is_plain(node)}
    outer = {inner.op.name: handle for handle, inner in traced.graph.captures}
    found = {}
    for name, node in finds.items():
        if name in outer:
            keys, values = tf.raw_ops.LookupTableExportV2(
                table_handle=outer[name], Tkeys=node.attr["Tin"].type, Tvalues=node.attr["Tout"].type
            )
            order = np.argsort(np.asarray(keys), kind="stable")  # a hash table has no order of its own
            if 0 < len(order) <= LARGEST:
                found[name] = Table(np.asarray(keys)[order], np.asarray(values)[order])
    return found


def with_plain_lookups(graph: graph_pb2.GraphDef, tables: Mapping[str, Table]) -> graph_pb2.GraphDef:
    """Return the graph with each lookup in one of the tables as comparisons."""
    if not tables:
        return graph

    def plain(node: Any) -> list[Any]:
        table = tables.get(base(node.input[0])) if is_plain(node) else None
        return [node] if table is None else _compared(node, table)

    return rewritten(graph, plain)


def is_plain(node: Any) -> bool:
    """Say whether a node looks whole numbers up and gives whole numbers."""
    return node.op == "LookupTableFindV2" and node.attr["Tin"].type in _INTEGERS and node.attr["Tout"].type in _INTEGERS


def _compared(node: Any, table: Table) -> list[Any]:
    """Return the nodes that take the place of one lookup; the last has its name."""
    with tf.Graph().as_default() as graph:
        keys = tf.compat.v1.placeholder(node.attr["Tin"].type, name="keys")
        default = tf.compat.v1.placeholder(node.attr["Tout"].type, name="default")
        known = tf.constant(table.keys)
        equal = tf.equal(tf.expand_dims(keys, -1), known)
        # The first that equals, 0 where none does.
        index = tf.argmax(tf.cast(equal, tf.int32), axis=-1, output_type=tf.int32)
        hit = tf.equal(tf.gather(known, index), keys)
        tf.where(hit, tf.gather(tf.constant(table.values), index), default, name="found")
    return grafted(graph, {"keys": node.input[1], "default": node.input[2], "found": node.name}, node.name)
