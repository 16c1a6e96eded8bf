"""How a container is shut in: the options that every container gets. Pure: knows no engine and no image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

USER = "4321:4321"
OUT = "/out"
_TMP = "/tmp"  # noqa: S108  the container's own, a tmpfs


def hardened(  # noqa: PLR0913  every option is given by its name
    *,
    memory: int,
    read_only: Mapping[str, Path],
    out: Path | None = None,
    tmp: int | None = None,
    cpus: float | None = None,
    pids: int = 256,
    environment: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    working_dir: str = _TMP,
) -> dict[str, Any]:
    """Return the keyword arguments for `client.containers.create(image, command, ...)`.

    read_only maps a path in the container to a file or folder of this machine. out is the one folder that
    the container can write, as /out; its mode must allow that to user 4321. memory and tmp (the size of /tmp;
    half of memory unless given) are in bytes; what is in /tmp counts as memory, and there is no swap on top.
    cpus is a number of cores. Nothing of this machine's environment or docker configuration gets in.
    """
    mounts = [_bind(source, target, read_only=True) for target, source in sorted(read_only.items())]
    if out is not None:
        mounts.append(_bind(out, OUT, read_only=False))
    options: dict[str, Any] = {
        "network_mode": "none",
        "read_only": True,
        "user": USER,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": pids,
        "mem_limit": memory,
        "memswap_limit": memory,
        "tmpfs": {_TMP: f"rw,nosuid,nodev,mode=1777,size={tmp or memory // 2}"},
        # Podman asks for the kernel's highest limits where none are given, and may not have them. nproc is only a
        # ceiling over all containers of this user (pids_limit is each one's own); a core file could fill /out.
        "ulimits": [
            {"name": "nofile", "soft": 4096, "hard": 4096},
            {"name": "nproc", "soft": 4096, "hard": 4096},
            {"name": "core", "soft": 0, "hard": 0},
        ],
        "log_config": {"type": "json-file", "config": {"max-size": "16m", "max-file": "1"}},
        "init": True,
        # Else the proxies in ~/.docker/config.json, and their passwords, are copied into the container.
        "use_config_proxy": False,
        "hostname": "dropkit",
        "environment": dict(environment or {}),
        "labels": dict(labels or {}),
        "mounts": mounts,
        "working_dir": working_dir,
    }
    if cpus is not None:
        options["nano_cpus"] = int(cpus * 1_000_000_000)
    return options


def _bind(source: Path, target: str, *, read_only: bool) -> dict[str, Any]:
    """Return a bind mount as the API has it: unlike a volume string it takes any path, which must exist."""
    return {"Type": "bind", "Source": str(source.resolve()), "Target": target, "ReadOnly": read_only}
