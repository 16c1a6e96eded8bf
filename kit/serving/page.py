"""The page itself, from values: complete in itself, its one script and style allowed by a word that no other has."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from kit.render import render_text

TEMPLATE = "serve/page.html.j2"


@dataclass(frozen=True)
class Page:
    """What the page says before a file is given.

    kind: of the one input, "several" of more; takes: how the names of files end; places: key, title and note of other
    processors; most: bytes of a file.
    """

    title: str
    others: tuple[str, ...]  # the titles of what is shown beside it
    runtime: str
    runtimes: tuple[str, ...]
    kernels: tuple[str, ...]
    kernel: str
    kind: str
    takes: tuple[str, ...]
    places: tuple[tuple[str, str, str], ...]
    most: int


def rendered(page: Page) -> tuple[str, dict[str, str]]:
    """Return a page's HTML, and the headers with which it may be shown."""
    nonce = secrets.token_urlsafe(16)
    policy = {
        "default-src": "'none'",
        "script-src": f"'nonce-{nonce}'",
        "style-src": f"'nonce-{nonce}'",
        "img-src": "data: blob:",
        "media-src": "blob:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    }
    return render_text(TEMPLATE, {"page": page, "nonce": nonce}, {"megabytes": _megabytes}), headers


def _megabytes(count: int) -> str:
    return f"{count >> 20} MiB"
