"""Convert a model as the worker does, let two names change places in the product, and tell what the proof says of it.

`python swap_names.py FOLDER inputs|outputs ONE OTHER`, inside a toolchain, with kit on PYTHONPATH. Prints JSON.
"""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any

from tensorflow.lite.python import schema_py_generated as schema

from kit.shared.job import JobError, load_job
from kit.worker.evaluation.data import read
from kit.worker.evaluation.interpreter import Product
from kit.worker.evaluation.name_check import prove
from kit.worker.loaders.load import load
from kit.worker.pipeline import make
from kit.worker.source.contract import resolve


def swapped(content: bytes, which: str, one: str, other: str) -> bytes:
    """Return the file with the tensors of two names of its first signature exchanged."""
    signature = schema.Model.GetRootAs(content, 0).SignatureDefs(0)
    count, get = (
        (signature.InputsLength(), signature.Inputs)
        if which == "inputs"
        else (signature.OutputsLength(), signature.Outputs)
    )
    maps = {get(i).Name().decode(): get(i) for i in range(count)}
    data = bytearray(content)
    for name, from_name in ((one, other), (other, one)):
        table = maps[name]._tab
        struct.pack_into("<I", data, table.Pos + table.Offset(6), maps[from_name].TensorIndex())
    return bytes(data)


def compare_swapped(folder: Path, which: str, one: str, other: str) -> dict[str, Any]:
    """Return what the proof says of the product as it is, and of the one with two names exchanged."""
    job = load_job((folder / "job.json").read_text("utf-8"))
    source = load(folder, job)
    contracts = resolve(job, source)
    data = read(folder, job, contracts)
    made = make(job, source, contracts, data)
    contract, key = contracts[0], contracts[0].key
    floats = made.reference(contracts, data.evaluation, data.measured_on)[key]
    said: dict[str, list[str] | str] = {}
    for name, content in (("right", made.content), ("wrong", swapped(made.content, which, one, other))):
        product = Product(content, contracts)
        _, predictions = product.ask_all(key, data.evaluation[key])
        try:
            said[name] = list(prove(contract, product, data.evaluation[key], floats, predictions))
        except JobError as error:
            said[name] = error.refusal.message
    return said


if __name__ == "__main__":
    print(json.dumps(compare_swapped(Path(sys.argv[1]), *sys.argv[2:])))  # noqa: T201
