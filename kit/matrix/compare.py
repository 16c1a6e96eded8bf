"""How the files differ that several toolchains and schemes made of one recipe: bytes, operators, accuracy, outputs."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, count, product
from typing import TYPE_CHECKING, Any

from kit.bundle.manifest import read_manifest
from kit.errors import KINDS, KitError
from kit.matrix.builds import MatrixRequest, VersionBuild, run_builds
from kit.recipe.schema import Recipe

if TYPE_CHECKING:
    import numpy as np

FORMAT = 2


@dataclass(frozen=True)
class Compared:
    """One output of two versions' files on all evaluation samples. steps: of the coarser of the two scales."""

    output: str
    agreement: float | None  # fraction of equal top-1; classes only
    worst: float  # largest |difference| of real values
    steps: float | None  # the same in quantization steps; None where one is not quantized


@dataclass(frozen=True)
class Pair:
    """Two versions' files against each other."""

    a: str
    b: str
    same_bytes: bool
    same_content: bool  # operators, tensors and constants; names and metadata may differ
    outputs: tuple[Compared, ...]

    @property
    def agreement(self) -> float | None:
        """Return the lowest agreement of all outputs of classes."""
        return min((each.agreement for each in self.outputs if each.agreement is not None), default=None)

    @property
    def steps(self) -> float | None:
        """Return the worst difference of all quantized outputs, in steps."""
        return max((each.steps for each in self.outputs if each.steps is not None), default=None)

    @property
    def worst(self) -> float | None:
        """Return the worst absolute difference of all outputs."""
        return max((each.worst for each in self.outputs), default=None)


@dataclass(frozen=True)
class Matrix:
    """All builds, in the order of their versions, and every pair of those that were built."""

    recipe: Recipe
    builds: tuple[VersionBuild, ...]
    pairs: tuple[Pair, ...]

    @property
    def built(self) -> list[VersionBuild]:
        """Return the builds that have a bundle."""
        return [build for build in self.builds if build.failure is None]

    def pairs_of(self, version: str) -> list[Pair]:
        """Return a version's file against each of the others."""
        return [pair for pair in self.pairs if version in (pair.a, pair.b)]

    def pair(self, one: str, other: str) -> Pair | None:
        """Return the pair of two versions in either order."""
        return next((pair for pair in self.pairs_of(one) if other in (pair.a, pair.b) and one != other), None)

    def groups(self) -> dict[str, str]:
        """Return a letter for each built version: the same one where the files hold the same content."""
        letters: dict[str, str] = {}
        fresh = _letters()
        for build in self.built:
            if str(build.content) not in letters:
                letters[str(build.content)] = next(fresh)
        return {build.name: letters[str(build.content)] for build in self.built}

    def differing_operators(self) -> dict[str, dict[str, tuple[int, ...]]]:
        """Return the operators whose versions are not the same in every file: by name and TensorFlow version.

        An operator that a file does not have at all is an empty tuple there. Files of one scheme are held against each
        other: another scheme has other operators anyway.
        """
        by_build = {build.name: _versions(build) for build in self.built}
        names = sorted({name for versions in by_build.values() for name in versions})
        table = {name: {v: versions.get(name, ()) for v, versions in by_build.items()} for name in names}
        schemes = [[build.name for build in self.built if build.scheme == scheme] for scheme in self.schemes]
        differ = {name for name, row in table.items() for mine in schemes if len({row[each] for each in mine}) > 1}
        return {name: row for name, row in table.items() if name in differ}

    @property
    def scheme_names(self) -> list[str]:
        """Return the schemes by their names, the recipe's own, too."""
        return [scheme or self.recipe.quantize.scheme for scheme in self.schemes]

    @property
    def has_own_scheme(self) -> bool:
        """Say whether the recipe's own scheme is all that was asked for, so that builds differ by their version."""
        return self.schemes == [""]

    @property
    def schemes(self) -> list[str]:
        """Return the schemes that were asked for, in their order; "" is the recipe's own."""
        return list(dict.fromkeys(build.scheme for build in self.builds))


def run_matrix(request: MatrixRequest, notify: Callable[[str], None]) -> Matrix:
    """Build the builds that are not there yet, and compare them all. Raises KeyboardInterrupt as run_builds does."""
    builds = run_builds(request, notify)
    return Matrix(request.recipe, builds, compare(request, [build for build in builds if build.failure is None]))


def compare(request: MatrixRequest, built: Sequence[VersionBuild]) -> tuple[Pair, ...]:
    """Return every pair of built builds, by the outputs that their builds kept."""
    import numpy as np

    predictions: dict[str, dict[str, np.ndarray]] = {}
    for build in built:
        with np.load(request.predictions(build.name), allow_pickle=False) as archive:
            predictions[build.name] = {name: archive[name] for name in archive.files}
    scales = {build.name: _scales(request, build.name) for build in built}
    return tuple(
        Pair(
            a.name,
            b.name,
            a.sha256 == b.sha256,
            a.content == b.content,
            tuple(
                _compared(name, predictions[a.name], predictions[b.name], scale, scales[b.name][name])
                for name, scale in scales[a.name].items()
                if name in scales[b.name]
            ),
        )
        for a, b in combinations(built, 2)
    )


def to_json(matrix: Matrix) -> dict[str, Any]:
    """Return all of a matrix as JSON has it."""
    model, quantize = matrix.recipe.model, matrix.recipe.quantize
    return {
        "format": FORMAT,
        "id": model.id,
        "version": model.version,
        "scheme": quantize.scheme,
        "schemes": matrix.scheme_names,
        "io": matrix.recipe.io,
        "builds": [
            asdict(build) | {"name": build.name, "outcome": "failed" if build.failure else "built"}
            for build in matrix.builds
        ],
        "groups": matrix.groups(),
        "differing_operators": matrix.differing_operators(),
        "pairs": [asdict(pair) for pair in matrix.pairs],
    }


def raise_if_none_built(matrix: Matrix) -> None:
    """Raise the gravest failure's error, by its exit code, where no build was built."""
    if matrix.built:
        return
    failures = [(build.failure, build.name) for build in matrix.builds if build.failure]
    worst, version = max(failures, key=lambda each: each[0].code)
    kinds = {kind.code: kind for kind in reversed(KINDS.values())}
    raise kinds.get(worst.code, KitError)(f"no version built it; TensorFlow {version}: {worst.cause}", worst.hint)


def _versions(build: VersionBuild) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for code in build.operators:
        found[code.name] = (*found.get(code.name, ()), code.version)
    return found


def _scales(request: MatrixRequest, version: str) -> dict[str, float | None]:
    return {output.name: output.scale for output in read_manifest(request.bundle(version)).signature.outputs}


def _compared(
    name: str,
    ours: Mapping[str, np.ndarray],
    theirs: Mapping[str, np.ndarray],
    scale: float | None,
    other: float | None,
) -> Compared:
    """Compare an output's values. ours, theirs: real/<name> float32 and top1/<name> int64, both [N, ...]."""
    import numpy as np

    a, b = (predictions[f"real/{name}"].astype(np.float64) for predictions in (ours, theirs))
    worst = float(np.max(np.abs(a - b), initial=0.0))
    steps = worst / max(scale, other) if scale and other else None
    top = f"top1/{name}"
    agreement = float(np.mean(ours[top] == theirs[top])) if top in ours and top in theirs else None
    return Compared(name, agreement, worst, steps)


def _letters() -> Iterator[str]:
    """Yield A, B, ... Z, AA, AB, ..."""
    return ("".join(word) for length in count(1) for word in product(string.ascii_uppercase, repeat=length))
