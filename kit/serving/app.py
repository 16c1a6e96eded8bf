"""The page as a WSGI application: who may ask, what is asked, and the reply as JSON.

Who may ask: what comes to this machine's own address (another name that leads here is refused, and with it DNS
rebinding), knows the token of the page's address, and comes from the page itself. Other origins get no header that
would let them read a reply.
"""

from __future__ import annotations

import json
import secrets
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from werkzeug.wrappers import Request, Response

from kit.emulation.resident import Ready
from kit.errors import KitError
from kit.serving.elsewhere import PLACES, lines_elsewhere
from kit.serving.models import KERNELS, Models
from kit.serving.page import Page, rendered
from kit.serving.uploads import MOST_BYTES, TYPE, RefusedError, Upload, ending_of, received, refuse_size, shown_name
from kit.toolchains.toolchain import runtimes

HOSTS = ("127.0.0.1", "localhost")
MOST_AT_ONCE = 4  # files that are taken in at a time
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address has the token
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass
class App:
    """One page. port: on which it is served; ready: what the first model takes; debug: faults of ours go to stderr."""

    models: Models
    ready: Ready
    token: str
    port: int
    debug: bool = False
    _files: threading.Semaphore = field(default_factory=lambda: threading.BoundedSemaphore(MOST_AT_ONCE))
    _slow: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """FileOutputs one request."""
        try:
            response = self._response(Request(environ))
        except RefusedError as error:
            response = _json(error.to_json(), error.status)
        except KitError as error:
            response = _json({"error": error.message, "hint": error.hint}, 422)
        except Exception as error:  # noqa: BLE001 - a page has no use for a traceback
            if self.debug:
                traceback.print_exc()
            response = _json({"error": f"{type(error).__name__}: {error}", "hint": "please report it"}, 500)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response(environ, start_response)

    def _response(self, request: Request) -> Response:
        rest = self._page_part(request)
        if rest == "" and request.method in {"GET", "HEAD"}:
            html, headers = rendered(self._page())
            return Response(html, mimetype="text/html", headers=headers)
        asked = {"run": self._run, "elsewhere": self._elsewhere}.get(rest)
        if asked is None:
            raise RefusedError(404, "there is no such page", "open the address that `kit emulate --serve` printed")
        if request.method != "POST":
            raise RefusedError(405, f"{request.method} is not for this address", "use the page")
        return asked(request)

    def _page_part(self, request: Request) -> str:
        """Return what is asked of this page. Raises RefusedError where it may not be."""
        own = {f"{host}:{self.port}" for host in HOSTS} | ({*HOSTS} if self.port == 80 else set())
        if request.environ.get("HTTP_HOST", "") not in own:
            raise RefusedError(403, "this page is for this machine alone", f"open http://{HOSTS[0]}:{self.port}/...")
        _, _, rest = request.path.partition("/")
        token, _, rest = rest.partition("/")
        if not secrets.compare_digest(token.encode(), self.token.encode()) or not request.path.startswith(f"/{token}/"):
            raise RefusedError(404, "there is no such page", "open the address that `kit emulate --serve` printed")
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none")
        if origin not in {None, *(f"http://{host}" for host in own)} or site not in {"same-origin", "none"}:
            raise RefusedError(403, "another page asks for this one", "open the address itself")
        return rest

    def _page(self) -> Page:
        first, *others = self.models.shown
        kinds = [each.kind for each in self.ready.inputs]
        places = [(place.key, place.title, place.note) for place in PLACES] if first.key else []
        return Page(
            title=first.title,
            others=tuple(f"{each.title} ({each.path})" for each in others),
            runtime=first.runtime,
            runtimes=tuple(runtimes()),
            kernels=KERNELS,
            kernel=self.models.settings.kernels,
            kind=kinds[0] if len(kinds) == 1 else "several",
            takes=self.ready.takes,
            places=tuple(places),
            most=MOST_BYTES,
        )

    def _run(self, request: Request) -> Response:
        runtime, kernels = (request.args.get(word, "") for word in ("runtime", "kernels"))
        if runtime not in {"", *runtimes()} or kernels not in {"", *KERNELS}:
            raise RefusedError(400, f"there is no {runtime} with {kernels} kernels", "use the page")
        preview = request.args.get("preview", "") == "1"
        with self._upload(request) as file:
            models = [
                self._of_one(number, file, (runtime, kernels or self.models.settings.kernels), preview=preview)
                for number in range(len(self.models.shown))
            ]
        return _json({"models": models})

    def _of_one(self, number: int, file: Upload, where: tuple[str, str], *, preview: bool) -> dict[str, Any]:
        """Return what one bundle says of a file, where: on a runtime with kernels. What it cannot do is an error."""
        shown = self.models.shown[number]
        title = {
            "title": shown.title,
            "path": str(shown.path),
            "runtime": where[0] or shown.runtime,
            "kernels": where[1],
        }
        try:
            resident = self.models.resident(number, *where)
            outputs = asdict(resident.ask(file.path, file.name, preview=preview))
            return {**title, "package": resident.ready().package, **outputs}
        except KitError as error:
            refused = {"input": file.name, "error": error.message, "hint": error.hint}
            return {**title, "package": "", "results": [], "errors": [refused], "left": 0}

    def _elsewhere(self, request: Request) -> Response:
        key, first = request.args.get("on", ""), self.models.shown[0]
        if key not in {place.key for place in PLACES} or not first.key:
            raise RefusedError(400, f"{key}: there is no such processor here", "use the page")
        if not self._slow.acquire(blocking=False):
            raise RefusedError(503, "one such run is not done yet", "wait for it")
        try:
            with self._upload(request) as file:
                models = self.models
                lines = lines_elsewhere(key, first.path, file.path, models.settings.signature, models.notify)
                return _json({"lines": [line.replace(str(file.path), file.name) for line in lines]})
        finally:
            self._slow.release()

    @contextmanager
    def _upload(self, request: Request) -> Iterator[Upload]:
        """Give the file that a request sends, for a block. Raises RefusedError where it is none that is taken."""
        name = shown_name(request.args.get("name", ""))
        if request.mimetype != TYPE:
            raise RefusedError(415, f"{name}: it is sent as {request.mimetype or 'nothing'}", f"send it as {TYPE}")
        refuse_size(request.content_length, name)
        ending = ending_of(name, self.ready.takes)
        if not self._files.acquire(blocking=False):
            raise RefusedError(503, f"{name}: {MOST_AT_ONCE} files are being run", "wait for them, and give it again")
        try:
            with received(request.stream, request.content_length or 0, name, ending) as file:
                yield file
        finally:
            self._files.release()


def _json(document: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(document), status, mimetype="application/json")
