"""Commands that end, fail, crash, hang or leave children: each comes back as an Exit, and nothing stays behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from kit.process import Command, Exit, run, tail

CHILDREN = """
import os, sys, time
for generation in range(3):
    if os.fork():
        break
print(os.getpid(), flush=True)
time.sleep(60)
"""


def start(
    folder: Path, code: str, timeout: float | None = None, env: dict[str, str] | None = None
) -> tuple[Exit, list[str]]:
    """Run Python code; return how it ended and the lines that it printed."""
    lines: list[str] = []
    ended = run(
        Command([sys.executable, "-c", code], env or {}, folder),
        log=folder / "log",
        on_line=lines.append,
        timeout=timeout,
    )
    return ended, lines


def is_alive(pid: int) -> bool:
    """Say whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def assert_gone(pids: list[int]) -> None:
    """Wait for what was killed to be gone."""
    deadline = time.monotonic() + 5
    while any(is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in pids if is_alive(pid)] == []


def test_lines_of_stdout_come_as_they_are_and_stderr_goes_to_the_log(tmp_path: Path) -> None:
    ended, lines = start(tmp_path, "import sys; print('one\\n\\ntwo'); sys.stderr.write('noise')")
    assert ended == Exit(0)
    assert lines == ["one", "", "two"]
    assert (tmp_path / "log").read_text("utf-8") == "noise"


def test_a_line_is_given_while_the_process_still_runs(tmp_path: Path) -> None:
    flag = tmp_path / "seen"
    code = f"import pathlib, time\nprint('here', flush=True)\nwhile not pathlib.Path({str(flag)!r}).exists():\n"
    code += "    time.sleep(0.01)\n"
    argv = [sys.executable, "-c", code]
    ended = run(Command(argv, {}, tmp_path), log=tmp_path / "log", on_line=lambda _: flag.touch(), timeout=30)
    assert ended == Exit(0)


def test_bytes_that_are_no_text_are_no_harm(tmp_path: Path) -> None:
    _, lines = start(tmp_path, "import sys; sys.stdout.buffer.write(b'a\\xffb\\n')")
    assert lines == ["a\ufffdb"]


def test_only_the_given_environment_and_folder_are_there(tmp_path: Path) -> None:
    _, lines = start(
        tmp_path, "import os; print('HOME' in os.environ, os.environ['OURS'], os.getcwd())", env={"OURS": "yes"}
    )
    assert lines == [f"False yes {tmp_path}"]


def test_what_is_typed_meanwhile_is_not_for_the_process(tmp_path: Path) -> None:
    ours, (reader, writer) = os.dup(0), os.pipe()
    os.write(writer, b"typed")
    os.close(writer)
    os.dup2(reader, 0)
    try:
        _, lines = start(tmp_path, "import sys; print(repr(sys.stdin.read()))")
    finally:
        os.dup2(ours, 0)
        os.close(ours)
        os.close(reader)
    assert lines == ["''"]


def test_an_exit_status_comes_back(tmp_path: Path) -> None:
    ended, _ = start(tmp_path, "raise SystemExit(3)")
    assert (ended.status, ended.cause) == (3, "exit status 3")


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("SIGSEGV", "segmentation fault (SIGSEGV)"),
        ("SIGABRT", "aborted (SIGABRT)"),
        ("SIGKILL", "killed (SIGKILL)"),
        ("SIGILL", "illegal instruction (SIGILL)"),
    ],
)
def test_a_death_by_signal_is_said_in_words(tmp_path: Path, name: str, cause: str) -> None:
    ended, _ = start(tmp_path, f"import os, signal; os.kill(os.getpid(), signal.{name})")
    assert ended.status == -signal.Signals[name]
    assert ended.cause == cause


@pytest.mark.parametrize(
    ("ended", "cause"),
    [
        (Exit(139), "segmentation fault (SIGSEGV)"),  # as a shell or a container says it
        (Exit(134), "aborted (SIGABRT)"),
        (Exit(128), "exit status 128"),
        (Exit(255), "exit status 255"),
        (Exit(-200), "exit status -200"),
        (Exit(137, out_of_memory=True), "it ran out of memory and was killed"),
        (Exit(-9, timed_out=True), "it ran out of time and was killed"),
    ],
)
def test_every_way_to_end_has_its_words(ended: Exit, cause: str) -> None:
    assert ended.cause == cause


def test_a_process_in_time_is_not_called_late(tmp_path: Path) -> None:
    ended, _ = start(tmp_path, "pass", timeout=30)
    assert ended == Exit(0)


def test_a_timeout_kills_the_process_its_child_and_the_child_of_that(tmp_path: Path) -> None:
    begin = time.monotonic()
    ended, lines = start(tmp_path, CHILDREN, timeout=1)
    assert (ended.status, ended.timed_out) == (-signal.SIGKILL, True)
    assert ended.cause == "it ran out of time and was killed"
    assert time.monotonic() - begin < 10
    assert len(lines) == 4
    assert_gone([int(line) for line in lines])


def test_children_that_outlive_a_process_are_killed_when_it_ends(tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys\n"
        "quiet = subprocess.DEVNULL\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], stdout=quiet, stderr=quiet)\n"
        "print(child.pid, flush=True)\n"
        "os._exit(0)\n"
    )
    ended, lines = start(tmp_path, code)
    assert ended == Exit(0)
    assert_gone([int(line) for line in lines])


@pytest.mark.parametrize("fault", [KeyboardInterrupt, ValueError])
def test_an_exception_while_it_runs_kills_the_whole_group(tmp_path: Path, fault: type[BaseException]) -> None:
    lines: list[str] = []

    def interrupt(line: str) -> None:
        lines.append(line)
        if len(lines) == 4:
            raise fault

    with pytest.raises(fault):
        run(Command([sys.executable, "-c", CHILDREN], {}, tmp_path), log=tmp_path / "log", on_line=interrupt)
    assert_gone([int(line) for line in lines])


def test_the_group_is_its_own_so_that_ctrl_c_reaches_it_only_through_us(tmp_path: Path) -> None:
    _, lines = start(tmp_path, "import os; print(os.getpgid(0))")
    assert int(lines[0]) != os.getpgid(0)


def test_a_program_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run(Command([str(tmp_path / "none")], {}, tmp_path), log=tmp_path / "log", on_line=print)


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"".join(b"line %d\n" % i for i in range(100)) + b"caf\xe9\n\n")
    assert tail(log, 2) == "line 99\ncaf\ufffd"
    assert len(tail(log).splitlines()) == 15


def test_a_log_that_is_empty_or_missing_says_so(tmp_path: Path) -> None:
    assert tail(tmp_path / "none") == "(no log)"
    (tmp_path / "log").touch()
    assert tail(tmp_path / "log") == "(the log is empty)"
