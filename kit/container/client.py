"""The container engine: find it, say why it does not respond, clear away what the dead left. Runs no jobs."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kit.errors import EngineError
from kit.lifetime.processes import stat_fields
from kit.lifetime.scratch import note_container, note_no_container

if TYPE_CHECKING:
    import docker

# On containers and passing images: the process that will remove them, as owner() names it.
OWNER_LABEL = "dropkit.owner"
_UNKNOWN = "unknown"
# In seconds: longer than an engine is silent while it loads or runs something. A dead socket ends at once.
_PATIENCE = 3600


def connect(timeout: int = 15) -> docker.DockerClient:
    """Return a client of the engine on this machine. Raises EngineError with the reason if there is none."""
    found = probe(timeout)
    if isinstance(found, str):
        raise EngineError(found, "start the container engine, or build with --engine local")
    return found


def probe(timeout: int = 15) -> docker.DockerClient | str:
    """Return a client of the engine on this machine, or one sentence on why none can be used.

    The engine is the one that the docker command would take: $DOCKER_HOST, $DOCKER_CONTEXT, the current
    context, the default socket. timeout is in seconds and bounds the probe; the client returned is patient.
    """
    import docker

    try:
        arguments = _address()
    except (docker.errors.DockerException, ValueError, OSError) as error:
        return f"the docker context cannot be read: {_one_line(error)}"
    if isinstance(arguments, str):
        return arguments
    address = arguments["base_url"]
    try:
        quick = docker.DockerClient(**arguments, version="auto", timeout=timeout)
    except (docker.errors.DockerException, OSError, ValueError) as error:
        return _why(error, address, timeout)
    version = quick.api.api_version
    quick.close()
    if not is_local(address):
        return f"the engine at {address} is on another machine and cannot mount the files of this one"
    return docker.DockerClient(**arguments, version=version, timeout=_PATIENCE)


def is_local(address: str) -> bool:
    """Say whether an engine's address is a socket of this machine, so that both mean the same files."""
    return address.startswith(("unix://", "http+unix://", "npipe://"))


def owner() -> str:
    """Return what identifies this process, for the owner label: host, pid and start time."""
    return f"{socket.gethostname()}/{os.getpid()}/{_start_time(os.getpid())}"


@contextmanager
def passing_container(client: docker.DockerClient) -> Iterator[str]:
    """Give a new container's name; the container of that name is gone after the block, whatever happens.

    The name comes first: an interrupt may come between the engine's creating it and our learning its id. Where the
    engine fails at its removal, or another interrupt comes, the journal says so, and the next run removes it.
    """
    import docker

    name = f"dropkit-{uuid4().hex}"
    note_container()
    try:
        yield name
    finally:
        with suppress(docker.errors.APIError, OSError):  # what requests raises is an OSError
            with suppress(docker.errors.NotFound):
                client.api.remove_container(name, force=True, v=True)
            note_no_container()


def sweep(client: docker.DockerClient) -> int:
    """Remove containers and passing images whose dropkit process is gone (killed); return how many."""
    import docker

    labelled = {"label": OWNER_LABEL}
    removed = 0
    for container in client.api.containers(all=True, filters=labelled):
        if _is_dead(container["Labels"][OWNER_LABEL]):
            # Another process may sweep at the same time.
            with suppress(docker.errors.APIError):
                client.api.remove_container(container["Id"], force=True, v=True)
                removed += 1
    for image in client.api.images(filters=labelled):
        if _is_dead(image["Labels"][OWNER_LABEL]):
            with suppress(docker.errors.APIError):
                client.api.remove_image(image["Id"], force=True)
                removed += 1
    return removed


def machine(client: docker.DockerClient) -> str:
    """Return the engine's architecture as wheels name it: "x86_64" or "aarch64"; EngineError for others."""
    name = str(client.info().get("Architecture", ""))
    known = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
    if name not in known:
        raise EngineError(
            f"the engine runs on {name or 'an unknown architecture'}: TensorFlow has no wheels for it",
            "use an engine on x86_64 or aarch64",
        )
    return known[name]


def _address() -> dict[str, Any] | str:
    """Return DockerClient's base_url and tls as the docker command would choose them, or a sentence."""
    from docker.constants import DEFAULT_UNIX_SOCKET, IS_WINDOWS_PLATFORM
    from docker.context import ContextAPI
    from docker.utils import kwargs_from_env

    socket_url = DEFAULT_UNIX_SOCKET.removeprefix("http+")
    default = {"base_url": "npipe:////./pipe/docker_engine" if IS_WINDOWS_PLATFORM else socket_url}
    # A host from the environment beats any context, also the environment's own.
    if os.environ.get("DOCKER_HOST"):
        return default | kwargs_from_env()
    name = os.environ.get("DOCKER_CONTEXT")
    context = ContextAPI.get_context(name or None)
    if context is None:
        return f"the docker context {name!r} does not exist" if name else "the current docker context is missing"
    if context.Name == "default" or not context.Host:
        return default
    return {"base_url": context.Host} | ({"tls": context.TLSConfig} if context.TLSConfig else {})


def _why(error: BaseException, address: str, timeout: int) -> str:
    """Say in one sentence why no engine responds. docker-py has one class for all: look at what it wraps."""
    place = address.removeprefix("http+").removeprefix("unix://")
    causes = list(_causes(error))
    if any(isinstance(cause, PermissionError) for cause in causes):
        return f"no permission to use the engine at {place} (mostly: this user is not in the group docker)"
    if any(isinstance(cause, FileNotFoundError) for cause in causes):
        return f"no container engine is here (no socket at {place})"
    if any("timeout" in type(cause).__name__.lower() for cause in causes):
        return f"the engine at {place} does not respond within {timeout} s"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"no container engine runs (nothing responds at {place})"
    if any(type(cause).__name__ in {"NewConnectionError", "NameResolutionError"} for cause in causes):
        return f"the engine at {place} cannot be reached"
    return f"the engine at {place} cannot be used: {_one_line(error)}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that it wraps, by cause, context or argument, each once."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        item = waiting.pop(0)
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        waiting += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _is_dead(label: str) -> bool:
    host, pid, started = [*label.split("/", 2), "", ""][:3]
    if host != socket.gethostname() or not pid.isdecimal() or started == _UNKNOWN:
        return False
    return _start_time(int(pid)) not in {started, _UNKNOWN}


def _start_time(pid: int) -> str:
    """Return when a process started, in this system's own terms; "" where there is no such process."""
    if Path("/proc/self/stat").exists():
        try:
            return stat_fields(pid)[19]
        except (OSError, IndexError):
            return ""
    argv = ["ps", "-o", "lstart=", "-p", str(pid)]
    try:
        asked = subprocess.run(argv, capture_output=True, text=True, check=False)
    except OSError:
        return _UNKNOWN
    return "-".join(asked.stdout.split())
