"""Fuzz every pure reader of foreign bytes with atheris, guided by coverage: `inv fuzz`.

Each reader has a process of its own, starts from the seeds in this folder, and keeps what it finds of new paths in
build/fuzz/<reader>. An input that takes over 5 s of CPU time or 500 MB is a finding, too.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from readers import READERS, SEEDS, Reader

HERE = Path(__file__).parent
WORK = HERE.parent.parent / "build" / "fuzz"
HANGS = 60  # seconds of wall time of one input
MEGABYTES = 500  # of one input, beside what the process itself has
OWN_MEGABYTES = 200


@dataclass(frozen=True)
class Fuzzed:
    """What became of one reader. coverage, features: libFuzzer's counts of the code that was reached."""

    reader: str
    executions: int
    seconds: int
    coverage: int
    features: int
    finding: str

    def line(self) -> str:
        """Return it as a row of a table."""
        numbers = f"{self.executions:,} | {self.seconds:,} | {self.coverage:,} | {self.features:,}"
        return f"| {self.reader} | {numbers} | {self.finding or 'none'} |"


def main(arguments: Sequence[str]) -> int:
    """Fuzz what is asked for and print the table; return 1 where there is a finding."""
    parser = argparse.ArgumentParser(prog="inv fuzz", description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000, help="executions of each reader, at most")
    parser.add_argument("--seconds", type=int, default=60, help="of each reader, at most")
    parser.add_argument("--only", default="", help="readers, with commas between")
    parser.add_argument("--jobs", type=int, default=1, help="readers at once")
    options = parser.parse_args(arguments)
    names = options.only.split(",") if options.only else [name for name, reader in READERS.items() if reader.pure]
    print(
        "| reader | executions | seconds | coverage | features | findings |\n|---|---:|---:|---:|---:|---|", flush=True
    )
    with ThreadPoolExecutor(options.jobs) as pool:
        done = []
        for fuzzed in pool.map(lambda name: fuzz(name, options.runs, options.seconds), names):
            done.append(fuzzed)
            print(fuzzed.line(), flush=True)
    print(f"{sum(each.executions for each in done):,} executions, {sum(each.seconds for each in done):,} s")
    return int(any(each.finding for each in done))


def fuzz(name: str, runs: int, seconds: int) -> Fuzzed:
    """Fuzz one reader. Raises SystemExit where it cannot start."""
    reader, work = READERS[name], WORK / name
    corpus, log = work / "corpus", work / "log"
    corpus.mkdir(parents=True, exist_ok=True)
    for old in work.glob("finding-*"):
        old.unlink()
    words = dictionary(reader)
    (work / "words").write_text(words, "utf-8")
    argv = [
        sys.executable, str(HERE / "one.py"), name, str(corpus), str(SEEDS / reader.seeds),
        f"-runs={runs}", f"-max_total_time={seconds}", f"-timeout={HANGS}", f"-max_len={reader.longest}",
        f"-rss_limit_mb={OWN_MEGABYTES + MEGABYTES}", f"-artifact_prefix={work}/finding-", "-print_final_stats=1",
        *([f"-dict={work / 'words'}"] if words else []),
    ]  # fmt: skip
    with log.open("wb") as file:
        status = subprocess.run(argv, stdout=file, stderr=file, check=False).returncode
    return read_log(name, log.read_text("utf-8", errors="replace"), status, sorted(work.glob("finding-*")))


def dictionary(reader: Reader) -> str:
    """Return the strings in a reader's seeds that are text, as libFuzzer's dictionary; "" where none are."""
    texts = [content.decode("utf-8") for content in reader.contents() if b"\0" not in content]
    words = {word for text in texts for word in re.findall(r'"[\w ./-]{1,30}"|\[\[?\w+\]?\]|\b\w{3,20} =', text)}
    return "".join('"' + word.replace('"', "\\x22") + '"\n' for word in sorted(words))


def read_log(name: str, log: str, status: int, findings: Sequence[Path]) -> Fuzzed:
    """Return what libFuzzer's log says of a reader. Raises SystemExit where it did not run."""
    executions = re.search(r"stat::number_of_executed_units: (\d+)", log)
    progress = re.findall(r"cov: (\d+) ft: (\d+)", log)
    if executions is None or not progress:
        raise SystemExit(f"{name}: the fuzzer does not start:\n{log[-2000:]}")
    seconds = re.search(r"Done \d+ runs in (\d+) second", log)
    finding = ""
    if status or findings:
        kinds = re.findall(
            r"^ ?(?:=== )?(Uncaught Python exception|ERROR: libFuzzer: [\w -]+|\w*(?:Error|Exception)\b.*)", log, re.M
        )
        finding = f"{'; '.join(dict.fromkeys(kinds))[:200]}: {', '.join(map(str, findings))}"
    coverage, features = (int(number) for number in progress[-1])
    return Fuzzed(name, int(executions[1]), int(seconds[1]) if seconds else 0, coverage, features, finding)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
