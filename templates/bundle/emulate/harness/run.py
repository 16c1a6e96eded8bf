"""What runs INPUTs."""

from dataclasses import dataclass, field, replace

from .files import Array
from .interpreter import Runner
from .options import Options
from .signature import Signature


@dataclass(frozen=True)
class Run:
    """What runs INPUTs, and the first embedding of each output, which later ones are compared with."""

    signature: Signature
    runner: Runner
    options: Options
    first: dict[str, Array] = field(default_factory=dict)

    def on(self, runner: Runner) -> "Run":
        """Return the same on another runner of the same model."""
        return replace(self, runner=runner)

    @property
    def knows_first(self) -> bool:
        """Whether no later output is a first one that others are compared with."""
        return all(name in self.first for name, tensor in self.signature.outputs.items() if tensor.kind == "embedding")
