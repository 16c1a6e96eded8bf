"""The part of a documentation page that a bench writes: what stands between two comments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kit.files import write_whole


@dataclass(frozen=True)
class PagePart:
    """A part of a page. begin, end: the comments around it, as they stand there."""

    page: Path
    begin: str
    end: str

    def read(self) -> str:
        """Return what is there, without blank lines around it; "" where the page has no such part."""
        return self.page.read_text("utf-8").partition(self.begin)[2].partition(self.end)[0].strip("\n")

    def write(self, text: str) -> None:
        """Put text there in the place of what is; the rest of the page stays."""
        before, _, rest = self.page.read_text("utf-8").partition(self.begin)
        written = "\n\n".join((self.begin, text.strip("\n"), self.end))
        write_whole(self.page, f"{before}{written}{rest.partition(self.end)[2]}".encode())
