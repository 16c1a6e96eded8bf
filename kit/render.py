"""Templates to files. Knows Jinja and how each target language escapes; nothing of what the values mean."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2


def render_tree(name: str, target: Path, values: Mapping[str, Any]) -> None:
    """Write templates/<name>/ below target: a .j2 file rendered without that ending, any other byte for byte.

    Raises jinja2.UndefinedError where a template wants a value that is not there.
    """
    root = templates() / name
    for source in sorted(path for path in root.rglob("*") if path.is_file()):
        place = target / source.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".j2":
            template = _environment().get_template(source.relative_to(templates()).as_posix())
            place.with_suffix("").write_text(template.render(values), "utf-8", newline="\n")
        else:
            place.write_bytes(source.read_bytes())


def render_text(name: str, values: Mapping[str, Any]) -> str:
    """Return the text of templates/<name>. In a .html.j2 every value is escaped; android/ has Kotlin's filters.

    Raises jinja2.UndefinedError where the template wants a value that is not there.
    """
    environment = _kotlin() if name.startswith("android/") else _environment()
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
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
    )
    environment.filters["py"] = repr
    return environment


@cache
def _kotlin() -> jinja2.Environment:
    """Return the environment for Kotlin: a line that holds a tag alone leaves no line behind."""
    from kit.android.names import comment, literal

    environment = _environment().overlay(trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"kt": literal, "kdoc": comment}
    return environment
