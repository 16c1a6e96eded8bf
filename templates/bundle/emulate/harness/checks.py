"""How far the golden vectors of a bundle are from what they were, as values, in the keys that --json has of them.

Tuples: a frozen dataclass takes half a millisecond to import, and these are six of a replay's few modules.
"""

from typing import NamedTuple

from .numbers import Json, Number


class OutputCheck(NamedTuple):
    """How far one output is from its golden vectors at worst."""

    unit: str  # of all distances: "steps" (of quantization, or whole numbers) or "absolute"
    worst: Number
    allowed: float
    worst_vector: int
    from_float: float | None  # how far golden vectors are from the float model's, which edge vectors are not run on
    passed: bool
    shapes: tuple[tuple[int, ...], tuple[int, ...]] | None  # where they differ: of the output, of the golden vector
    vectors_off: int = 0

    def to_json(self) -> Json:
        plain: Json = {
            "unit": self.unit,
            "worst_steps" if self.unit == "steps" else "worst": self.worst,
            "allowed": self.allowed,
            "worst_vector": self.worst_vector,
            "pass": self.passed,
        }
        plain |= {} if self.from_float is None else {"from_float_as_built": self.from_float}
        plain |= {"vectors_off": self.vectors_off} if self.vectors_off else {}
        if self.shapes is None:
            return plain
        return plain | {"shape": list(self.shapes[0]), "golden_shape": list(self.shapes[1])}


class PixelCheck(NamedTuple):
    """Whether pre-processing golden pixels, texts or sounds gives the golden input."""

    different: int  # values
    of: int
    worst: Number

    @property
    def passed(self) -> bool:
        return self.different == 0

    def to_json(self) -> Json:
        return {"different": self.different, "of": self.of, "worst": self.worst, "pass": self.passed}


class SignatureCheck(NamedTuple):
    """The golden vectors of one signature; none where golden.npz has none of it."""

    vectors: int = 0
    outputs: tuple[tuple[str, OutputCheck], ...] = ()
    pixels: tuple[tuple[str, PixelCheck], ...] = ()
    texts: tuple[tuple[str, PixelCheck], ...] = ()  # the same of golden texts
    sounds: tuple[tuple[str, PixelCheck], ...] = ()
    edges: int = 0  # vectors of inputs at the edges of what it may be fed
    edge_outputs: tuple[tuple[str, OutputCheck], ...] = ()

    @property
    def passed(self) -> bool:
        fed = (*self.pixels, *self.texts, *self.sounds)
        outputs = (*self.outputs, *self.edge_outputs)
        return all(check.passed for _, check in outputs) and all(check.passed for _, check in fed)

    def to_json(self) -> Json:
        plain: Json = {
            "vectors": self.vectors,
            "outputs": {name: check.to_json() for name, check in self.outputs},
            "pixels": {name: check.to_json() for name, check in self.pixels},
        }
        if self.edges:
            outputs: Json = {name: check.to_json() for name, check in self.edge_outputs}
            plain["edges"] = {"vectors": self.edges, "outputs": outputs}
        more = {"texts": self.texts, "sounds": self.sounds}
        return plain | {key: {name: check.to_json() for name, check in found} for key, found in more.items() if found}


class TrainingCheck(NamedTuple):
    """The loss over several steps on one golden vector."""

    first: Number
    as_built: Number
    last: Number
    steps: int
    passed: bool

    def to_json(self) -> Json:
        plain: Json = self._asdict()
        return plain | {"pass": plain.pop("passed")}


class StateCheck(NamedTuple):
    """The names of variables that are not as they have to be, and whether the golden vectors hold once more."""

    read: tuple[str, ...]  # not as built
    assigned: tuple[str, ...]  # do not take another value
    restored: tuple[str, ...]  # do not come back
    golden: bool

    @property
    def passed(self) -> bool:
        return self.golden and not (self.read or self.assigned or self.restored)

    def to_json(self) -> Json:
        names: Json = {key: list(getattr(self, key)) for key in ("read", "assigned", "restored")}
        return names | {"golden": self.golden, "pass": self.passed}


class Replay(NamedTuple):
    """The golden vectors of all signatures, training and the kept variables."""

    main: SignatureCheck
    others: tuple[tuple[str, SignatureCheck], ...] = ()  # by signature key
    train: TrainingCheck | None = None
    state: StateCheck | None = None

    @property
    def passed(self) -> bool:
        parts = (self.main, *(check for _, check in self.others), self.train, self.state)
        return all(part.passed for part in parts if part is not None)

    def to_json(self) -> Json:
        plain = {"verdict": "pass" if self.passed else "fail", **self.main.to_json()}
        if self.others:
            plain["signatures"] = {key: check.to_json() | {"pass": check.passed} for key, check in self.others}
        parts = (("train", self.train), ("state", self.state))
        return plain | {key: part.to_json() for key, part in parts if part is not None}
