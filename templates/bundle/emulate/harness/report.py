"""What a run found: what --json prints, as values. Keys may come, none goes: scripts and `kit build` read them."""

from dataclasses import asdict, dataclass

from .found import Found
from .numbers import Json, Number


@dataclass(frozen=True)
class Interpreter:
    """What ran the model."""

    name: str  # pip's: "ai-edge-litert"
    version: str
    threads: int
    app: str  # what the app links: "litert:2.3.0"
    kernels: str = "default"  # or "reference"


@dataclass(frozen=True)
class OutputCheck:
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


@dataclass(frozen=True)
class PixelCheck:
    """Whether pre-processing golden pixels, texts or sounds gives the golden input."""

    different: int  # values
    of: int
    worst: Number

    @property
    def passed(self) -> bool:
        return self.different == 0

    def to_json(self) -> Json:
        return {"different": self.different, "of": self.of, "worst": self.worst, "pass": self.passed}


@dataclass(frozen=True)
class TextCount:
    """How many tokens a text has, how many of them the vocabulary does not have, and how many are cut off."""

    tokens: int
    unknown: int
    cut: int


@dataclass(frozen=True)
class SignatureCheck:
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


@dataclass(frozen=True)
class TrainingCheck:
    """The loss over several steps on one golden vector."""

    first: Number
    as_built: Number
    last: Number
    steps: int
    passed: bool

    def to_json(self) -> Json:
        plain: Json = asdict(self)
        return plain | {"pass": plain.pop("passed")}


@dataclass(frozen=True)
class StateCheck:
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


@dataclass(frozen=True)
class Replay:
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


@dataclass(frozen=True)
class ClassScore:
    """One class of an output."""

    index: int
    label: str | None
    score: Number  # a real value, after the activation


@dataclass(frozen=True)
class Classes:
    """The best classes of an output, best first."""

    top: tuple[ClassScore, ...]

    def to_json(self) -> Json:
        return {"kind": "classes", "top": [asdict(score) for score in self.top]}


@dataclass(frozen=True)
class Values:
    """An array of real values in numbers."""

    dtype: str  # of the model file
    shape: tuple[int, ...]
    min: Number  # of the finite ones
    max: Number
    values: tuple[Number, ...]  # the first, row by row
    truncated: bool

    def to_json(self) -> Json:
        return {
            "dtype": self.dtype,
            "shape": list(self.shape),
            "min": self.min,
            "max": self.max,
            "values": list(self.values),
            "truncated": self.truncated,
        }


@dataclass(frozen=True)
class Result:
    """The outputs of one call, by name."""

    input: str
    index: int | None
    outputs: tuple[tuple[str, Classes | Values | Found], ...]
    frame: tuple[int, int] | None = None  # width, height of what places are given in
    image: str | None = None  # the file that they are drawn in
    texts: tuple[tuple[str, TextCount], ...] = ()  # by input
    seconds: float | None = None  # of a sound: from its start to this window's

    def to_json(self) -> Json:
        outputs: Json = {
            name: {"kind": "tensor", **output.to_json()} if isinstance(output, Values) else output.to_json()
            for name, output in self.outputs
        }
        plain: Json = {"input": self.input, "index": self.index, "outputs": outputs}
        plain |= {} if self.frame is None else {"frame": list(self.frame)}
        plain |= {} if self.seconds is None else {"seconds": self.seconds}
        plain |= {"texts": {name: asdict(count) for name, count in self.texts}} if self.texts else {}
        return plain if self.image is None else plain | {"image": self.image}


@dataclass(frozen=True)
class InputError:
    """An INPUT that cannot be used: what is wrong with it, and the next step."""

    input: str
    error: str  # without the INPUT's name
    hint: str
    trace: str = ""  # for --debug

    @property
    def line(self) -> str:
        """All of it on one line, whatever the INPUT's name has in it."""
        return f"{' '.join(self.input.splitlines())}: {self.error}; {self.hint}"

    def to_json(self) -> Json:
        return {"input": self.input, "error": self.error, "hint": self.hint}


@dataclass(frozen=True)
class Variable:
    """A kept variable as it is now."""

    values: Values
    mean: Number

    def to_json(self) -> Json:
        return {"dtype": self.values.dtype, "mean": self.mean, **self.values.to_json()}


@dataclass(frozen=True)
class Benchmark:
    """The time of one call, with its copies in and out."""

    median_ms: float
    p90_ms: float
    runs: int
    warm_up: int
    threads: int


@dataclass(frozen=True)
class Report:
    """All that one run of emulate.py found; None is what was not asked for."""

    bundle: str
    version: str
    kit: str
    runtime: Interpreter
    replay: Replay | None = None
    loaded: str | None = None
    results: tuple[Result, ...] | None = None
    errors: tuple[InputError, ...] = ()
    benchmark: Benchmark | None = None
    variables: tuple[tuple[str, Variable], ...] | None = None  # by name
    saved: str | None = None

    @property
    def found_nothing(self) -> bool:
        """Whether all that was asked for are INPUTs, and none can be used."""
        return not any((self.replay, self.results, self.benchmark, self.variables, self.saved))

    def to_json(self) -> Json:
        plain: Json = {"bundle": self.bundle, "version": self.version, "kit": self.kit, "runtime": asdict(self.runtime)}
        plain |= {} if self.replay is None else self.replay.to_json()
        variables: Json = {name: variable.to_json() for name, variable in self.variables or ()}
        parts: Json = {
            "loaded": self.loaded,
            "results": None if self.results is None else [result.to_json() for result in self.results],
            "errors": [error.to_json() for error in self.errors] or None,
            "benchmark": None if self.benchmark is None else asdict(self.benchmark),
            "variables": None if self.variables is None else variables,
            "saved": self.saved,
        }
        return plain | {key: part for key, part in parts.items() if part is not None}
