"""The results of INPUTs as a line each: JSON lines, or rows of a .csv, for other programs."""

import csv
import io
import json
from collections.abc import Iterator

from .entries import Classes, InputError, Result, Values
from .found import Found
from .report import Report

Cells = dict[str, object]  # by a column's title


def jsonl_of(report: Report) -> str:
    """Return a JSON document a line: each result, then each INPUT that cannot be used, as --json has them."""
    entries: list[Result | InputError] = [*(report.results or ()), *report.errors]
    return "".join(json.dumps(entry.to_json()) + "\n" for entry in entries)


def csv_of(report: Report) -> str:
    """Return titles, and a row for each result, then for each INPUT that cannot be used.

    An output of classes is its best class and <name>_score; numbers are <name>, or <name>_0 and so on; what else is
    found is JSON in one cell.
    """
    rows: list[Cells] = [dict(_cells(result)) for result in report.results or ()]
    rows += [{"input": error.input, "error": error.error} for error in report.errors]
    titles = list(dict.fromkeys(("input", "index", *(title for row in rows for title in row if title != "error"))))
    text = io.StringIO()
    writer = csv.DictWriter(text, [*titles, *(["error"] if report.errors else [])], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _cells(result: Result) -> Iterator[tuple[str, object]]:
    yield "input", result.input
    yield "index", result.index
    for name, output in result.outputs:
        yield from _output_cells(name, output)


def _output_cells(name: str, output: Classes | Values | Found) -> Iterator[tuple[str, object]]:
    if isinstance(output, Classes):
        best = output.top[0]
        yield name, best.index if best.label is None else best.label
        yield f"{name}_score", best.score
    elif isinstance(output, Values):
        single = len(output.values) == 1
        yield from ((name if single else f"{name}_{at}", value) for at, value in enumerate(output.values))
    else:
        yield name, json.dumps(output.to_json())
