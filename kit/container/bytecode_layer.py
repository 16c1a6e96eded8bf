"""The layer of byte-code: compiled inside a shut-in container, packed here. The compiler is bytecode_script.py."""

from __future__ import annotations

import shutil
import tarfile
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kit.container.base_image import Base
from kit.container.client import OWNER_LABEL, owner
from kit.container.image_load import passing_image, run_to_end
from kit.container.layers import Entry, Layer, write_layer
from kit.container.sandbox import OUT, hardened
from kit.errors import EngineError

if TYPE_CHECKING:
    import docker

PYC = "opt/toolchain/pyc"
# Fixed, not the number of cores: the bytes depend on it. Each is a process of its own.
_SHARDS = 4
_MEMORY = 2 << 30
_START_ALL = f"""
import subprocess, sys
command = [sys.executable, "/in/bytecode.py", "/in/wheels.tar", "{OUT}"]
shards = [subprocess.Popen([*command, str(shard), "{_SHARDS}", *sys.argv[1:]]) for shard in range({_SHARDS})]
sys.exit(max(abs(shard.wait()) for shard in shards))
"""


@dataclass(frozen=True)
class Compiler:
    """The Python that compiles, in a container of the engine's own architecture."""

    architecture: str  # "amd64"
    base: Base
    python: str  # as a path in the base
    library: Layer | None = None  # the base whose standard library is compiled, where that is for another architecture


def write_bytecode_layer(client: docker.DockerClient, compiler: Compiler, packages: Layer) -> Layer:
    """Write the byte-code of the base's standard library and of a layer of wheels, beside that layer.

    It lies at /opt/toolchain/pyc, where PYTHONPYCACHEPREFIX has Python look. The container stands on the base
    alone and reads the wheels from their layer's tar, so the engine need not load them twice.
    """
    out = packages.path.with_name("pyc")
    out.mkdir()
    out.chmod(0o777)  # the container's user is not this one; the folder above is closed to others
    # Copied, for it may be installed where only this user can read it.
    script = packages.path.with_name("bytecode.py")
    shutil.copyfile(Path(__file__).with_name("bytecode_script.py"), script)
    read_only = {"/in/wheels.tar": packages.path, "/in/bytecode.py": script}
    if compiler.library:
        read_only["/in/base.tar"] = compiler.library.path
    for path in read_only.values():
        path.chmod(0o644)
    options = hardened(
        memory=_MEMORY,
        read_only=read_only,
        out=out,
        environment={
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",  # before 3.11, sets among a code's constants follow it
            "PYTHONPYCACHEPREFIX": f"/{PYC}",
            "PYTHONUTF8": "1",
        },
        labels={OWNER_LABEL: owner()},
    )
    other = ["/in/base.tar"] if compiler.library else []
    with passing_image(client, compiler.architecture, compiler.base.layers) as image:
        run_to_end(client, image, [compiler.python, "-c", _START_ALL, *other], options)
    with ExitStack() as stack:
        tars = [stack.enter_context(tarfile.open(out / f"{n}.tar", mode="r:")) for n in range(_SHARDS)]
        entries = [_entry(tar, member) for tar in tars for member in tar]
        note = f"byte-code of the layers below at /{PYC}"
        return write_layer(packages.path.with_name("bytecode.tar"), entries, note)


def _entry(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    if not member.isreg() or not member.name.startswith(f"{PYC}/"):
        raise EngineError(
            f"the compiler wrote {member.name!r}, outside of its place", "delete the image's cache and run it again"
        )
    return Entry(member.name, "byte-code", size=member.size, content=partial(_open, tar, member))


def _open(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(member)
    assert file is not None
    return file
