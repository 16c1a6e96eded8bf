"""What shuts a process of this user in without root, where the kernel has it: Landlock, namespaces, seccomp, limits.

Run as a script by a Python of any kind: `walls.py SPEC COMMAND...` puts the walls up and becomes the command;
`walls.py --probe` prints which ones hold here. Imports nothing of the kit. Not all kernels have them, and a wall that
does not stand is left out: `probe` says so, and the local engine is no sandbox.

Source of the calls: the kernel's Documentation/userspace-api/landlock.rst and seccomp_filter.rst, and
include/uapi/linux/{landlock,seccomp,filter,audit}.h.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# The same numbers on every architecture since Linux 5.0.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE, _READ, _READ_DIR = 1, 2, 4, 8
# By version of Landlock: which rights over files it knows. What it does not know it does not refuse.
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_OF_FILES = _EXECUTE | _WRITE | _READ | 1 << 14 | 1 << 15  # truncate, ioctl
_TCP = 3  # bind and connect; from version 4 on
_SCOPES = 3  # abstract sockets, and signals; from version 6 on
_NEW_USER, _NEW_NET, _NEW_IPC = 0x10000000, 0x40000000, 0x08000000
_NO_NEW_PRIVILEGES, _DROP_CAPABILITY = 38, 24
_SET_SECCOMP, _FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # instructions of a filter
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # where struct seccomp_data has them
_ALLOW, _REFUSE, _UNKNOWN = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_ABI = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000  # numbers of x86-64's other interface begin here
# System calls that a conversion does not need, by their numbers on x86-64 and AArch64. What Landlock and the namespaces
# leave open: sockets that are files (an engine's, an agent's), the user's keys, processes that outlive the job.
_REFUSED = {
    "socket": (41, 198),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "setpriority": (141, 140),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
}
# Those whose first argument cannot be seen, and which have an older form: the C library takes that one.
_HIDDEN = {"clone3": (435, 435), "io_uring_setup": (425, 425)}
_OF_OTHERS = {"prlimit64": (302, 261), "sched_setaffinity": (203, 122)}  # the first argument is a process, 0 its own
_CLONE = (56, 220)
# What TensorFlow, Python and the C library read of a system.
SYSTEM = (
    "/usr", "/lib", "/lib64", "/bin", "/proc", "/sys/devices/system", "/sys/fs/cgroup", "/etc/ld.so.cache",
    "/etc/ld.so.preload", "/etc/localtime", "/etc/alternatives", "/etc/nsswitch.conf",
)  # fmt: skip
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_SET_PARENT_DEATH_SIGNAL = 1
_PROBE_SECONDS = 20


@dataclass(frozen=True)
class Plan:
    """What a process may still do: files and folders that it may read, or read and write, and limits by their names."""

    read: Sequence[str]
    write: Sequence[str]
    limits: Mapping[str, int]
    parent: int = 0  # the process whose death ends this one


@dataclass(frozen=True)
class Walls:
    """Which walls stand. landlock: its version, 0 where there is none."""

    landlock: int = 0
    network: bool = False
    calls: bool = False
    limits: bool = False

    @property
    def whole(self) -> bool:
        """Whether all of them stand."""
        return bool(self.landlock) and self.network and self.calls and self.limits


def walled_argv(
    python: Path, command: list[str], *, read: Iterable[Path], write: Iterable[Path], memory: int
) -> list[str]:
    """Return the command that runs a command behind the walls.

    read and write are files and folders, beside the system's own, that it may read, or write, too; memory is bytes of
    private memory.
    """
    plan = Plan(
        read=(*SYSTEM, *map(str, read)),
        write=(*DEVICES, *map(str, write)),
        limits={"CORE": 0, "DATA": memory, "NPROC": 4096, "FSIZE": 8 << 30},
        parent=os.getpid(),
    )
    return [str(python), "-I", "-S", __file__, json.dumps(asdict(plan)), *command]


def probe() -> Walls:
    """Return which walls hold on this machine."""
    try:
        argv = [sys.executable, "-I", "-S", __file__, "--probe"]
        done = subprocess.run(argv, capture_output=True, check=True, timeout=_PROBE_SECONDS)
        return Walls(**json.loads(done.stdout))
    except (OSError, ValueError, TypeError, subprocess.SubprocessError):
        return Walls()


def summary(walls: Walls) -> str:
    """Return in words which walls hold, and what does not."""
    if not walls.landlock:
        files = "no Landlock: a job may read and write what this user may"
    else:
        files = f"Landlock {walls.landlock} (files)"
    if walls.network:
        network = "a network of its own"
    else:
        network = "no network namespace" if walls.calls else "no network namespace: a job may use the network"
    calls = "seccomp (sockets, keys, other processes)" if walls.calls else "no seccomp: a job may use sockets and keys"
    limits = "limits of memory and files" if walls.limits else "no limits"
    return f"{files}; {network}; {calls}; {limits}"


def _limit(limits: Mapping[str, int]) -> bool:
    """Set limits, each as far as this user may."""
    try:
        for name, wanted in limits.items():
            kind = getattr(resource, f"RLIMIT_{name}")
            hard = resource.getrlimit(kind)[1]
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(kind, (most, most))
    except (OSError, ValueError):
        return False
    return True


def _leave_network(libc: Any) -> bool:
    """Go into a network with no way out of it, and give up what root could do there."""
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_NEW_USER | _NEW_NET | _NEW_IPC):
        return False
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with suppress(OSError):
            Path("/proc/self", name).write_bytes(text.encode())
    for capability in range(64):
        libc.prctl(_DROP_CAPABILITY, capability, 0, 0, 0)
    return True


def _shut(libc: Any, read: Iterable[str], write: Iterable[str]) -> int:
    """Allow these files and folders and no others; return Landlock's version, 0 where there is none."""
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return 0
    handled = _RIGHTS[min(version, max(_RIGHTS))]
    # struct landlock_ruleset_attr: rights over files, over the network, and scopes; as long as the version knows it.
    fields = [handled, _TCP, _SCOPES][: 1 if version < 4 else 2 if version < 6 else 3]
    attributes = (ctypes.c_uint64 * len(fields))(*fields)
    ruleset = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(ctypes.sizeof(attributes)), 0)
    if ruleset < 0:
        return 0
    for paths, rights in ((read, _EXECUTE | _READ | _READ_DIR), (write, handled)):
        for path in paths:
            with suppress(FileNotFoundError):
                _allow(libc, ruleset, path, rights & handled)
    shut = libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return int(version) if shut else 0


class _Beneath(ctypes.Structure):
    """struct landlock_path_beneath_attr."""

    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("parent", ctypes.c_int32))


def _allow(libc: Any, ruleset: int, path: str, rights: int) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= _OF_FILES
        beneath = _Beneath(rights, handle)
        if libc.syscall(_ADD_RULE, ruleset, 1, ctypes.byref(beneath), 0):
            raise OSError(ctypes.get_errno(), "landlock_add_rule", path)
    finally:
        os.close(handle)


class _Instruction(ctypes.Structure):
    """struct sock_filter."""

    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("value", ctypes.c_uint32))


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def _rules(machine: str) -> list[tuple[int, int, int, int]]:
    """Return the filter as (instruction, jump if so, jump if not, value): a block ends, or keeps the number."""
    at = list(_ABI).index(machine)
    rules = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _ABI[machine]),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        rules += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _REFUSE)]
    for calls, verdict in ((_REFUSED, _REFUSE), (_HIDDEN, _UNKNOWN)):
        for numbers in calls.values():
            rules += [(_EQUAL, 0, 1, numbers[at]), (_RETURN, 0, 0, verdict)]
    for numbers in _OF_OTHERS.values():
        rules += [(_EQUAL, 0, 4, numbers[at]), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_EQUAL, 1, 0, 0)]
        rules += [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    rules += [(_EQUAL, 0, 4, _CLONE[at]), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_ANY_BIT, 0, 1, _NEW_USER)]
    return [*rules, (_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ALLOW)]


def _filter(libc: Any) -> bool:
    """Refuse some system calls for good; say whether that holds."""
    machine = os.uname().machine
    if machine not in _ABI or sys.byteorder != "little":
        return False
    rules = _rules(machine)
    instructions = (_Instruction * len(rules))(*(_Instruction(*rule) for rule in rules))
    program = _Program(len(rules), instructions)
    return bool(libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0)


def put_up(plan: Plan) -> Walls:
    """Put up every wall that this kernel has around this process, for good; return which ones stand."""
    libc = ctypes.CDLL(None, use_errno=True)
    limits = _limit(plan.limits)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    network = _leave_network(libc)
    landlock = _shut(libc, plan.read, plan.write)
    return Walls(landlock, network, _filter(libc), limits)  # the filter last: it refuses what the others need


def _end_with(parent: int) -> None:
    """Be killed when the parent dies. Last of all: a change of user or capabilities takes that back."""
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[1] == "--probe":
        sys.stdout.write(json.dumps(asdict(put_up(Plan(SYSTEM, DEVICES, {"CORE": 0})))))
    else:
        wanted = Plan(**json.loads(sys.argv[1]))
        put_up(wanted)
        _end_with(wanted.parent)
        os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - that is what it is for
