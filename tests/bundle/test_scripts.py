"""Scripts on a runtime's Python: those that wait do what those that start anew do, and none is left."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from kit.emulation.scripts import Scripts, scripts_ahead, side_by_side

PYTHON = Path(sys.executable)
SCRIPT = """
import beside, json, os, sys
print(json.dumps({"argv": sys.argv, "name": __name__, "pid": os.getpid(), "beside": beside.WORD}))
sys.stderr.write("said")
raise SystemExit(3)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("WORD = 'ö'\n", "utf-8")
    (tmp_path / "script.py").write_text(SCRIPT, "utf-8")
    return tmp_path / "script.py"


def test_a_script_runs_alike_in_a_process_that_waited_and_in_a_new_one(script: Path) -> None:
    words: list[str | Path] = [script, "a b", "ö"]
    new = Scripts().run(PYTHON, words)
    with scripts_ahead(PYTHON, 1) as scripts:
        waited = scripts.waiting[PYTHON][0].pid
        first, second = scripts.run(PYTHON, words), scripts.run(PYTHON, words)
    assert new.returncode == first.returncode == second.returncode == 3
    assert new.stderr == first.stderr == second.stderr == "said"
    said = [json.loads(done.stdout) for done in (new, first, second)]
    assert [(each["argv"], each["name"], each["beside"]) for each in said] == [
        ([str(word) for word in words], "__main__", "ö")
    ] * 3
    assert said[1]["pid"] == waited != said[2]["pid"]


def test_how_far_a_script_is_goes_to_who_asks_and_is_no_word_of_its_result(tmp_path: Path) -> None:
    code = """
import sys
for done in (1, 2):
    print('{"done": %d, "total": 2, "processes": 1}' % done, flush=True)
print('{"error": "none"}')
"""
    (tmp_path / "script.py").write_text(code, "utf-8")
    seen: list[tuple[int, int]] = []
    ran = Scripts(advance=lambda done, total: seen.append((done, total))).run(PYTHON, [tmp_path / "script.py"])
    assert (ran.returncode, ran.stdout, seen) == (0, '{"error": "none"}\n', [(1, 2), (2, 2)])


def test_processes_that_no_script_was_for_end_with_the_block() -> None:
    with scripts_ahead(PYTHON, 2) as scripts:
        processes = list(scripts.waiting[PYTHON])
        assert [process.poll() for process in processes] == [None, None]
    assert [process.returncode for process in processes] == [-9, -9]


def test_a_process_whose_stdin_ends_runs_nothing() -> None:
    with scripts_ahead(PYTHON, 1) as scripts:
        process = scripts.waiting[PYTHON].pop()
        assert process.communicate() == ("", "")
        assert process.returncode == 0


def test_what_ends_a_block_ends_the_scripts_that_run_in_it(tmp_path: Path) -> None:
    script, begun = tmp_path / "script.py", tmp_path / "begun"
    script.write_text("import sys, time, pathlib\npathlib.Path(sys.argv[1]).touch()\ntime.sleep(3600)\n", "utf-8")
    scripts = Scripts()
    with pytest.raises(KeyboardInterrupt), side_by_side(scripts, 1) as pool:
        running = pool.submit(scripts.run, PYTHON, [script, begun])
        waiting = pool.submit(scripts.run, PYTHON, [script, begun])
        while not begun.exists():
            assert not running.done()
        raise KeyboardInterrupt
    assert running.result().returncode == -signal.SIGKILL
    assert waiting.cancelled()
    assert not scripts.running
