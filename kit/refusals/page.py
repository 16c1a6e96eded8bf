"""docs/errors.md: every refusal as a table for each exit code, written from the source. Judges none of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from kit.refusals.read import PASSED_ON, Refusal, causes, refusals

_TITLES = {
    2: "Exit code 2: the recipe, its data, the command line or a place to write",
    3: "Exit code 3: the model",
    4: "Exit code 4: a check or the gate",
    5: "Exit code 5: an engine, a toolchain or another tool",
    6: "Exit code 6: not what its own pins give",
}
_HEAD = """\
# Errors

Written by `inv errors` from the source. What a message takes from the model, the recipe or the machine stands as
`<name>`.

Every refusal is two things: what is wrong and where, and behind `next:` what to do about it. Nothing is written then,
and an old bundle stays. The exit code says whose it is:

| exit code | is |
|---|---|
| 0 | done, and right as far as the checks and the gate see |
| 1 | a bug of dropkit: `--debug` shows the stack trace to report |
| 2 | the recipe, its data, the command line, or a place that cannot be written |
| 3 | the model: it cannot be loaded, traced, frozen, converted or run |
| 4 | a check or the gate refused what was converted, or the Android proof the bundle |
| 5 | no engine, toolchain or tool, or one that broke |
| 6 | `verify` or `diff`: a difference |
| 130 | interrupted: nothing was left half-written |

## What an exception inside a model becomes

While a model is loaded, traced or run, Python, Keras and TensorFlow raise what they like. The message then has the
layer in whose call it was raised, the operation, and the line of `[model] code` where it comes from there:

```
model: cannot trace the model: layer 'scale' (Scale), custom.py, line 4: it makes a variable in its call
  next: make it in the layer's build(), by self.add_weight(...), so that a call only reads it
```

{causes}
An exception that is none of these keeps the first sentence of its own words; one from `[model] code` the name that
Python has for it.

## A process that dies

A conversion is a process of its own, so a crash of TensorFlow's C++ code is a message, too. It has the stage, the layer
that was being called, or, while the file is converted or run, the layers with operations that are not in every model;
the line of `[model] code` where it ended there; and the last lines of its log:

```
model: the conversion process died while it was to 'load the model', in layer 'scale' (Scale), custom.py, line 4
  (local engine): segmentation fault (SIGSEGV)
  next: correct custom.py, line 4: the process ends there
```

"""


_HARNESS = """\
## The harness of a bundle

`emulate/emulate.py` in a bundle prints one line, `emulate: what is wrong; what to do`, and ends with 2, or with 5 where
something is not installed. An INPUT that cannot be used is such a line behind the outputs of the others:

"""


def error_page(root: Path, harness: Path) -> str:
    """Return the page for the package at root and a bundle's own harness, the same text for the same source."""
    found = refusals(root)
    parts = [_HEAD.format(causes=_table(("cause", "next"), ((_cell(c.cause), _cell(c.hint)) for c in causes(root))))]
    for code, title in _TITLES.items():
        rows = sorted(_row(each) for each in found if each.code == code)
        parts.append(f"## {title}\n\n{_table(('message', 'next', 'from'), iter(dict.fromkeys(rows)))}")
    rows = sorted(_row(refusal) for refusal in refusals(harness))
    parts.append(f"{_HARNESS}{_table(('message', 'next', 'from'), iter(dict.fromkeys(rows)))}")
    return "\n".join(parts)


def _row(refusal: Refusal) -> tuple[str, str, str]:
    elsewhere = {"<what the cause says>": "what the table of causes says", PASSED_ON: PASSED_ON.strip("<>")}
    own = [hint for hint in refusal.hints if hint not in elsewhere]
    hints = [*own, *(elsewhere[hint] for hint in refusal.hints if hint in elsewhere)]
    module = Path(refusal.module).stem
    return _cell(" / ".join(refusal.messages)), _cell(" / ".join(hints)), f"`{module}`"


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Return a text as one cell: no HTML out of placeholders, no column out of a bar."""
    plain = " ".join(text.split()).replace("|", "\\|")
    return re.sub(r"[<*\[`]", lambda found: f"\\{found[0]}", plain)
