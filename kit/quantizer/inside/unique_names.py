"""A float file whose tensors have a name each: litert-quantizer knows them by it, and a loop's parts share "arg0"."""

from __future__ import annotations

from ai_edge_litert.tools import flatbuffer_utils


def with_unique_names(content: bytes) -> bytes:
    """Return the file with a number behind each name that was there before; the same bytes where all are unique."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    seen, changed = set(), False
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if not tensor.name:
                continue
            name, count = tensor.name, 0
            while name in seen:
                count += 1
                name = tensor.name + b"__%d" % count
            changed = changed or bool(count)
            seen.add(name)
            tensor.name = name
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model)) if changed else content
