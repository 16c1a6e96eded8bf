"""docs/models.md from kept outcomes. Knows Markdown; builds nothing. The same outcomes give the same text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.models.architecture import SCHEMES, TEST, Architecture
from benchmarks.models.judge import AGREEMENT, CONCORDANCE, WORST_SHARE
from benchmarks.models.runner import MAKERS, ROOT, RUNTIME, Outcome

PAGE = ROOT / "docs" / "models.md"
Outcomes = Mapping[tuple[str, str], Outcome]

HEAD = """# Architectures

{counts}

Written by `inv bench --models`. Each row is an architecture as users train it, small but real: made by Keras
(TensorFlow {keras2} for Keras 2, {keras3} for Keras 3), stored as such users store it, and built by `kit build` with
the newest toolchain, from a recipe and calibration data like a user's.

## How to read it

- **Weights**: random weights give outputs that hardly differ from sample to sample, and would prove nothing. So each
  model is trained for some epochs, or (keras.applications) has batch-norm statistics of data and a fitted head. The
  seed is fixed. Inputs are smooth images, walks, sentences of ids and tones, not white noise.
- **keras.applications are made easy for eight bits.** With plain random weights they were wrong in int8 (.29 to .81),
  and noise of one pixel step changed the float model as much. After those results were seen, some ten settings were
  tried, and one was taken by that noise in float (batch-norm gamma .5 and beta 1, tinted classes, a ridge of .1). So
  these rows show that the architectures build, and say little of how trained weights fare in int8.
- **The judge** is independent of the kit: {runtime} runs the finished file by signature names, one sample a call, on
  {test} samples that neither training nor calibration saw, and its outputs are held against the Keras model's own.
  The first sample is asked again at the end: a file that keeps state between calls is wrong.
  A model of mixed precision, or that Keras quantized, is held against the same weights in float32: its own outputs have
  errors of fewer bits, which the file has not.
- **Right** means for every output: float32, a largest difference of at most {share:g} of the output's spread; float16
  and dynamic, a concordance of at least {half:g}; int8, a concordance of at least {int8:g}, or for classes the same
  class on at least {agreement:.0%} of the samples. Concordance (Lin's) is the correlation, lowered where scale or mean
  differ.
- A cell has the size of `model.tflite`, and of the worst output a bound of the largest difference (float32, as a share
  of the spread) or the concordance. *noted* is a file that is not right, and a note of the build says so, with the
  scheme to try. **WRONG** is one that was built with exit code 0 and is not right, without a word: what this page is
  made to find. *refused* has a number in the list below the table.
- **parameters** counts the Keras model's. A refused build writes no bundle.

"""


def page(rows: Sequence[Architecture], outcomes: Outcomes, models: Path) -> str:
    """Return the page. models has a folder for each row with its about.json."""
    ran = [row for row in rows if any((row.id, scheme) in outcomes for scheme in SCHEMES)]
    notes = _refusals(ran, outcomes)
    head = HEAD.format(
        counts=_counts(ran, outcomes),
        keras2=MAKERS[2],
        keras3=MAKERS[3],
        runtime=f"LiteRT {RUNTIME.rpartition(':')[2]}",
        test=TEST,
        share=WORST_SHARE,
        half=CONCORDANCE["float16"],
        int8=CONCORDANCE["int8"],
        agreement=AGREEMENT,
    )
    table = ["## The table", "", f"| architecture | Keras, file | parameters | {' | '.join(SCHEMES)} |"]
    table.append("|---|---|---:|" + "---|" * len(SCHEMES))
    table += [_line(row, outcomes, notes, models) for row in ran]
    return head + _wrong(ran, outcomes) + "\n".join(table) + "\n" + _list(notes)


def _counts(rows: Sequence[Architecture], outcomes: Outcomes) -> str:
    """Return how the builds of each scheme ended, recurrent architectures on a line of their own."""
    kinds = ("right", "noted", "wrong", "refused", "crash", "unmade")
    lines = [f"| scheme | builds | {' | '.join(kinds)} |", "|---|---:|" + "---:|" * len(kinds)]
    for scheme in SCHEMES:
        for recurrent in (False, True):
            mine = [row for row in rows if row.recurrent is recurrent and (row.id, scheme) in outcomes]
            ends = [outcomes[row.id, scheme].status for row in mine]
            name = f"{scheme}, recurrent" if recurrent else scheme
            lines.append(f"| {name} | {len(ends)} | {' | '.join(str(ends.count(kind)) for kind in kinds)} |")
    return "\n".join(lines)


def _line(row: Architecture, outcomes: Outcomes, notes: Mapping[tuple[str, str, str], int], models: Path) -> str:
    about = models / row.id / "about.json"
    facts = json.loads(about.read_text("utf-8")) if about.exists() else {}
    parameters = f"{facts['parameters']:,}" if facts else ""
    cells = [_cell(outcomes.get((row.id, scheme)), notes, exact=scheme == "float32") for scheme in SCHEMES]
    return f"| {row.title} | {row.keras}, {row.stored} | {parameters} | {' | '.join(cells)} |"


def _cell(outcome: Outcome | None, notes: Mapping[tuple[str, str, str], int], *, exact: bool) -> str:
    if outcome is None:
        return ""
    if outcome.status == "right":
        return f"{_size(outcome.size)}, {_bound(outcome.share) if exact else _number(outcome)}"
    if outcome.status == "noted":
        return f"*noted*: {_why(outcome)}"
    if outcome.status == "wrong":
        return f"**WRONG**: {_why(outcome)}"
    if outcome.status == "refused":
        return f"*refused* [{notes[_key(outcome)]}](#refusals)"
    return f"**{outcome.status.upper()}**"


def _bound(share: float) -> str:
    # A power of ten: the last bits of float kernels differ from CPU to CPU.
    return f"&lt; {10.0 ** (math.floor(math.log10(max(share, 1e-8))) + 1):.0e}".replace("e-0", "e-")


def _number(outcome: Outcome) -> str:
    agreement = "" if outcome.agreement is None or outcome.concordance >= 0.98 else f", {outcome.agreement:.0%} agree"
    # Cut, not rounded: 1.000 is what is the same.
    return f"{int(outcome.concordance * 1000) / 1000:.3f}{agreement}"


def _why(outcome: Outcome) -> str:
    if outcome.message:
        return _plain(outcome.message)
    classes = "" if outcome.agreement is None else f", {outcome.agreement:.0%} agree"
    return f"`{outcome.output}` {outcome.concordance:.3f}, differs by {outcome.share:.2g} of the spread{classes}"


def _size(count: int) -> str:
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.2f} MB"


def _key(outcome: Outcome) -> tuple[str, str, str]:
    return outcome.message, outcome.hint, f"{outcome.remedy}|{outcome.remedy_status}"


def _refusals(rows: Sequence[Architecture], outcomes: Outcomes) -> dict[tuple[str, str, str], int]:
    """Number the refusals in the order of the table; the same words and remedy have one number."""
    refused = [
        outcomes[row.id, scheme]
        for row in rows
        for scheme in SCHEMES
        if (row.id, scheme) in outcomes and outcomes[row.id, scheme].status == "refused"
    ]
    return {key: number for number, key in enumerate(dict.fromkeys(_key(outcome) for outcome in refused), 1)}


def _list(notes: Mapping[tuple[str, str, str], int]) -> str:
    if not notes:
        return ""
    lines = ["", "## Refusals", "", "| | cause | what the message says to do | done |", "|---:|---|---|---|"]
    for (message, hint, tried), number in notes.items():
        remedy, _, status = tried.partition("|")
        done = f"`{_plain(remedy)}`: {status if status == 'right' else f'**{status}**'}" if remedy else "not tried"
        lines.append(f"| {number} | {_plain(message)} | {_plain(hint)} | {done} |")
    return "\n".join(lines) + "\n"


def _wrong(rows: Sequence[Architecture], outcomes: Outcomes) -> str:
    lines = [
        f"- {row.title} (Keras {row.keras}), {scheme}: **{one.status}**, {_why(one)}"
        for row in rows
        for scheme in SCHEMES
        if (one := outcomes.get((row.id, scheme))) and one.status in {"wrong", "crash", "unmade"}
    ]
    return "## Built and wrong without a word, or crashed\n\n" + ("\n".join(lines) or "None.") + "\n\n"


def _plain(text: str) -> str:
    """Return text for a cell: one line, nothing that Markdown or HTML reads."""
    line = " ".join(text.split())
    return line.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
