"""The results of INPUTs as a line each: JSON lines, or rows of a .csv, for other programs."""

import csv
import io
import json

from .entries import Classes, InputError, Result, Values
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
    rows: list[Cells] = [_cells(result) for result in report.results or ()]
    rows += [{"input": error.input, "error": error.error} for error in report.errors]
    found: Cells = {"input": None, "index": None}
    for row in rows:
        found.update(row)  # in the order in which titles first come
    titles = [title for title in found if title != "error"] + (["error"] if report.errors else [])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(titles)
    writer.writerows([row.get(title) for title in titles] for row in rows)
    return text.getvalue()


def _cells(result: Result) -> Cells:
    cells: Cells = {"input": result.input, "index": result.index}
    for name, output in result.outputs:
        if isinstance(output, Classes):
            best = output.top[0]
            cells[name] = best.index if best.label is None else best.label
            cells[f"{name}_score"] = best.score
        elif isinstance(output, Values):
            single = len(output.values) == 1
            cells |= {name if single else f"{name}_{at}": value for at, value in enumerate(output.values)}
        else:
            cells[name] = json.dumps(output.to_json())
    return cells
