"""Templates to files. Knows Jinja and how each target language escapes; nothing of what the values mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2


def render_tree(name: str, values: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of templates/<name>/ by relative path: a .j2 rendered, without that ending; any other as it is.

    Raises jinja2.UndefinedError where a template wants a value that is not there.
    """
    root = templates() / name
    files = {}
    for source in sorted(path for path in root.rglob("*") if path.is_file()):
        place = source.relative_to(root)
        # Python leaves its cache beside what it imports or installs.
        if "__pycache__" in place.parts:
            continue
        if source.suffix == ".j2":
            template = _environment().get_template(source.relative_to(templates()).as_posix())
            files[place.with_suffix("").as_posix()] = template.render(values).encode()
        else:
            files[place.as_posix()] = source.read_bytes()
    return files


def render_text(name: str, values: Mapping[str, Any], filters: Mapping[str, Callable[..., str]] | None = None) -> str:
    """Return the text of templates/<name>. In a .html.j2 or .svg.j2 every value is escaped.

    filters are a target language's own; with them, a line that holds a tag alone leaves no line behind.
    Raises jinja2.UndefinedError where the template wants a value that is not there.
    """
    environment = _environment()
    if filters:
        environment = environment.overlay(trim_blocks=True, lstrip_blocks=True)
        environment.filters = {**environment.filters, **filters}
    return environment.get_template(name).render(values)


def templates() -> Path:
    """Return the folder of templates: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / "templates"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "templates"


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates()),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2", "svg.j2"), default=False),
    )
    environment.filters["py"] = repr
    return environment
