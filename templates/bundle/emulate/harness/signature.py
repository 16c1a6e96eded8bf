"""The entry points of a model file, by name, and the variables that it keeps from call to call."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from .tensor import FORMS, Tensor

if TYPE_CHECKING:
    from .forms import BoxesForm

INPUTS = ("image", "tensor", "text", "audio")
OUTPUTS = ("classes", "tensor", *FORMS)
Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Signature:
    """One entry point of the model file: what it takes and what it gives, by name."""

    key: str
    inputs: Tensors
    outputs: Tensors
    prefix: str = ""  # of its arrays in golden.npz

    @classmethod
    def from_json(cls, entry: Mapping[str, Any], folder: Path, *, main: bool = False) -> "Signature":
        """Return a signature of signature.json. folder: of the labels. Raises as Tensor.from_json does."""
        key = str(entry["signature"])
        inputs = by_name(Tensor.from_json(tensor, folder, INPUTS) for tensor in entry["inputs"])
        outputs = by_name(Tensor.from_json(tensor, folder, OUTPUTS) for tensor in entry["outputs"])
        forms = [cast("BoxesForm", tensor.form) for tensor in outputs.values() if tensor.kind == "boxes"]
        if unknown := {name for form in forms for name in form.parts.values()} - outputs.keys():
            raise ValueError(f"{key}: boxes take {sorted(unknown)}, and it gives no output of that name")
        if not inputs or not outputs:
            raise ValueError(f"{key}: it names no input or no output")
        return cls(key, inputs, outputs, "" if main else f"signature/{key}/")

    @property
    def decodes(self) -> bool:
        """Whether an output is more than numbers or classes."""
        return any(tensor.form is not None for tensor in self.outputs.values())

    @property
    def fixed(self) -> bool:
        """Whether one call has one size: no axis is open but the batch's."""
        return all(-1 not in tensor.sample for tensor in self.inputs.values())


class Variables(NamedTuple):
    """The variables that the model keeps from call to call, and the two signatures that reach them."""

    read: Signature  # takes nothing, gives every variable
    assign: Signature  # takes every variable

    @classmethod
    def from_json(cls, entry: Mapping[str, Any], folder: Path) -> "Variables":
        """Return the kept variables of signature.json. Raises as Tensor.from_json does."""
        tensors = by_name(
            Tensor.from_json({**tensor, "batched": False}, folder, ("tensor",)) for tensor in entry["tensors"]
        )
        if not tensors or any(-1 in tensor.shape for tensor in tensors.values()):
            raise ValueError("variables: there is none, or one without a fixed shape")
        done = Tensor("assigned", (), "int32", None, 0, "tensor", batched=False)
        return cls(
            Signature(str(entry["read"]), {}, tensors), Signature(str(entry["assign"]), tensors, by_name([done]))
        )

    @property
    def tensors(self) -> Tensors:
        return self.read.outputs


def by_name(tensors: Iterable[Tensor]) -> Tensors:
    """Return tensors by their names, in their order."""
    return {tensor.name: tensor for tensor in tensors}
