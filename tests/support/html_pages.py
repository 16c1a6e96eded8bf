"""Read an HTML page strictly: every element closed where it should be, identifiers unique, nothing from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "input", "link"}
# In foreign content: these close themselves in our pages.
DRAWN = {"rect", "line", "circle", "path", "polyline", "image", "use"}


@dataclass
class Element:
    """An element with what is in it."""

    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return all text in it."""
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    @property
    def words(self) -> str:
        """Return all text in it with single spaces, one between elements, too."""
        return " ".join(" ".join(child if isinstance(child, str) else child.words for child in self.children).split())

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Return the elements of a tag in it, those that have these words in their attributes. class_ is class."""
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        found = [child for child in self.children if isinstance(child, Element)]
        here = [each for each in found if each.tag == tag and each.has(wanted)]
        return here + [deeper for each in found for deeper in each.all(tag, **attributes)]

    def has(self, wanted: dict[str, str]) -> bool:
        """Say whether each attribute has that word."""
        return all(value in self.attributes.get(name, "").split() for name, value in wanted.items())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.tags.add(tag)
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in DRAWN, f"<{tag}/> does not close itself"
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> inside <{self.open[-1].tag}> at {self.getpos()}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read_page(text: str) -> Element:
    """Return a page. Raises AssertionError where it is not well formed, fetches something or runs something."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert len(reader.open) == 1, f"<{reader.open[-1].tag}> is open at the end"
    page = reader.root
    assert not reader.tags & {"script", "iframe", "object", "embed", "link", "form", "base"}
    every = [each for tag in reader.tags for each in page.all(tag)]
    ids = [each.attributes["id"] for each in every if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    for each in every:
        assert not [name for name in each.attributes if name.startswith("on")], each.attributes
        place = each.attributes.get("href", each.attributes.get("src", ""))
        assert not place or place.startswith("data:image/png;base64,") or place.removeprefix("#") in ids, place
    return page
