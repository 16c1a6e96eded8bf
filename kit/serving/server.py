"""Serves a page on this machine's loopback address alone, until it is interrupted.

The server is werkzeug's, threads of Python's own http.server: for one user on one machine, which is what it is for.
"""

from __future__ import annotations

import errno
import secrets
import socket
import webbrowser
from collections.abc import Callable

from werkzeug.serving import WSGIRequestHandler, make_server

from kit.errors import RecipeError
from kit.serving.app import HOSTS, App
from kit.serving.models import Models

_SILENCE = 60.0  # seconds that a connection may say nothing
_BACKLOG = 16


class _Quiet(WSGIRequestHandler):
    """Responds without a log: the token is in every request's line."""

    timeout = _SILENCE

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        """Write nothing."""

    def version_string(self) -> str:
        """Name no versions."""
        return "dropkit"


def serve(models: Models, port: int, shown: Callable[[str], None], *, browser: bool, debug: bool = False) -> None:
    """Serve the page of some models until this process is interrupted. shown: takes its address.

    port: 0 for any that is free. Raises RecipeError where the port cannot be had, and what the models raise.
    """
    ready = models.ready()
    with _bound(port) as listening:
        app = App(models, ready, secrets.token_urlsafe(24), listening.getsockname()[1], debug)
        server = make_server(HOSTS[0], app.port, app, threaded=True, request_handler=_Quiet, fd=listening.fileno())
        address = f"http://{HOSTS[0]}:{app.port}/{app.token}/"
        try:
            shown(address)
            if browser:
                webbrowser.open(address)
            server.serve_forever()  # ends where it is interrupted
        except KeyboardInterrupt:
            server.server_close()


def _bound(port: int) -> socket.socket:
    """Return a socket that listens on the loopback address. Raises RecipeError where the port cannot be had."""
    if not 0 <= port <= 65535:
        raise RecipeError(f"--port {port} is no port", "give one from 1 to 65535, or leave it out for any")
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOSTS[0], port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        taken = error.errno == errno.EADDRINUSE
        why = "another program listens there" if taken else error.strerror
        raise RecipeError(f"--port {port}: {why}", "give another --port, or leave it out for any") from error
    return listening
