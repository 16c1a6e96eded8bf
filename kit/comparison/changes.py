"""What an app has to follow when one model takes the place of another: each change, and whether it breaks the app.

Breaking is what an app of A does wrong, or cannot do, with B: names, order, shapes and types of tensors, what values
mean, labels, quantization at the border, operators that its runtime lacks. docs/inspect.md has the list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kit.comparison.app_view import AppView, EntryView, TensorView

# What an app decides itself behind the model: another value gives other results, and breaks nothing.
_TUNABLE = {"threshold", "iou", "most", "nms", "hop"}
_FEW = 3  # labels that are named


@dataclass(frozen=True)
class Change:
    """One change for an app; `text` is about A, then B."""

    subject: str  # signature, names, order, shapes, types, quantization, labels, pre-processing, outputs, ...
    text: str
    breaking: bool


def changes(a: AppView, b: AppView) -> tuple[Change, ...]:
    """Return every change, the breaking ones first."""
    found = [*_entries(a, b), *_identity(a, b), *_beside(a, b), *_runtimes(a, b), *_measures(a, b)]
    return tuple(sorted(found, key=lambda change: not change.breaking))


def verdict(found: Sequence[Change], *, same_bytes: bool) -> str:
    """Return "the same", "compatible" or "breaking"."""
    if any(change.breaking for change in found):
        return "breaking"
    return "the same" if same_bytes and not found else "compatible"


def _entries(a: AppView, b: AppView) -> Iterator[Change]:
    theirs = {entry.key: entry for entry in b.entries}
    for entry in a.entries:
        if entry.key not in theirs:
            yield Change("signature", f"{entry.key!r} is gone; there is {_names(theirs)}", True)
            continue
        other = theirs.pop(entry.key)
        where = f"{entry.key!r} " if len(a.entries) > 1 else ""
        yield from _side(f"{where}input", entry.inputs, other.inputs)
        yield from _side(f"{where}output", entry.outputs, other.outputs)
    yield from (Change("signature", f"{key!r} is new", False) for key in theirs)


def _side(what: str, before: Sequence[TensorView], after: Sequence[TensorView]) -> Iterator[Change]:
    mine, theirs = ({tensor.name: tensor for tensor in side} for side in (before, after))
    gone = [name for name in mine if name not in theirs]
    fresh = [name for name in theirs if name not in mine]
    if len(gone) == len(fresh) == 1:
        yield Change("names", f"{what} {gone[0]!r} is called {fresh[0]!r}", True)
        theirs = {gone[0] if name == fresh[0] else name: tensor for name, tensor in theirs.items()}
    else:
        yield from (Change("names", f"{what} {name!r} is gone", True) for name in gone)
        yield from (Change("names", f"{what} {name!r} is new", True) for name in fresh)
    both = [name for name in mine if name in theirs]
    order = [name for name in theirs if name in mine]
    if both != order:
        yield Change("order", f"{what}s: {_names(both)} -> {_names(order)}", True)
    for name in both:
        yield from _tensor(f"{what} {name!r}", mine[name], theirs[name], is_input="input" in what)


def _tensor(what: str, a: TensorView, b: TensorView, *, is_input: bool) -> Iterator[Change]:
    if a.shape != b.shape:
        yield Change("shapes", f"{what}: {list(a.shape)} -> {list(b.shape)}", True)
    if a.dtype != b.dtype:
        yield Change("types", f"{what}: {a.dtype} -> {b.dtype}", True)
    elif (a.scale, a.zero_point) != (b.scale, b.zero_point):
        text = f"{what}: {_affine(a)} -> {_affine(b)}: constants of the generated class"
        yield Change("quantization", text, True)
    subject = "pre-processing" if is_input else "outputs"
    for key in sorted({*a.meaning, *b.meaning}):
        before, after = a.meaning.get(key), b.meaning.get(key)
        if before != after:
            yield Change(subject, f"{what}: {key} {_value(before)} -> {_value(after)}", key not in _TUNABLE)
    yield from _labels(what, a.labels, b.labels)


def _labels(what: str, a: tuple[str, ...] | None, b: tuple[str, ...] | None) -> Iterator[Change]:
    if a == b:
        return
    if a is None or b is None:
        yield Change("labels", f"{what}: {'none' if a is None else len(a)} -> {'none' if b is None else len(b)}", True)
        return
    if sorted(a) == sorted(b):
        moved = sum(x != y for x, y in zip(a, b, strict=True))
        yield Change("labels", f"{what}: the same {len(a)} labels in another order, {moved} at another place", True)
        return
    differ = [(n, x, y) for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y]
    named = "; ".join(f"{n}: {x!r} -> {y!r}" for n, x, y in differ[:_FEW])
    more = f" and {len(differ) - _FEW} more" if len(differ) > _FEW else ""
    count = f"{len(a)} -> {len(b)} labels" if len(a) != len(b) else f"{len(differ)} of {len(a)} labels"
    yield Change("labels", f"{what}: {count}{f': {named}{more}' if named else ''}", True)


def _identity(a: AppView, b: AppView) -> Iterator[Change]:
    for what, before, after in (("id", a.id, b.id), ("package", a.package, b.package)):
        if before != after:
            yield Change("class", f"{what}: {before or 'none'} -> {after or 'none'}: the class has another name", True)
    if a.version != b.version:
        yield Change("version", f"{a.version} -> {b.version}", False)
    if a.scheme != b.scheme:
        yield Change("scheme", f"{a.scheme} -> {b.scheme}", False)
    if a.terms and a.terms != b.terms:
        yield Change("updates", "apps of A take no update over the air that is signed with B", False)
    elif a.terms:
        yield Change("updates", "apps of A take B over the air, once it is signed", False)


def _beside(a: AppView, b: AppView) -> Iterator[Change]:
    for name in sorted({*a.variables, *b.variables}):
        before, after = a.variables.get(name, "none"), b.variables.get(name, "none")
        if before != after:
            yield Change("variables", f"{name!r}: {before} -> {after}", before != "none")
    for name in sorted({*a.assets, *b.assets}):
        if a.assets.get(name) != b.assets.get(name):
            what = "other content" if name in a.assets and name in b.assets else "in one of them only"
            yield Change("pre-processing" if name.startswith("voc") else "outputs", f"{name}: {what}", True)


def _runtimes(a: AppView, b: AppView) -> Iterator[Change]:
    if a.runtime != b.runtime:
        yield Change("runtimes", f"the app links {a.runtime} -> {b.runtime}", True)
    lost = [name for name in a.runs_on if name not in b.runs_on]
    won = [name for name in b.runs_on if name not in a.runs_on]
    if lost:
        breaking = not a.runtime or a.runtime in lost
        yield Change("runtimes", f"no longer on {', '.join(lost)}: they lack an operator or its version", breaking)
    if won:
        yield Change("runtimes", f"now also on {', '.join(won)}", False)
    fresh = [name for name in b.needs if name not in a.needs]
    gone = [name for name in a.needs if name not in b.needs]
    if fresh:
        yield Change("runtimes", f"needs {', '.join(fresh)}, which no runtime has by itself", True)
    if gone:
        yield Change("runtimes", f"no longer needs {', '.join(gone)}", False)


def _measures(a: AppView, b: AppView) -> Iterator[Change]:
    before, after = a.file.size, b.file.size
    if before != after:
        yield Change("size", f"{before:,} -> {after:,} bytes ({100 * (after - before) / before:+.1f} %)", False)
    for name in dict.fromkeys([*a.metrics, *b.metrics]):
        x, y = a.metrics.get(name), b.metrics.get(name)
        if x != y:
            yield Change("metric", f"{name}: {_number(x)} -> {_number(y)}", False)


def _affine(tensor: TensorView) -> str:
    return "not quantized" if tensor.scale is None else f"scale {tensor.scale:.7g} zero {tensor.zero_point}"


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4g}"


def _value(value: object) -> str:
    return "none" if value is None else repr(value)


def _names(names: Sequence[str] | Mapping[str, EntryView]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
