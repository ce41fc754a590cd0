"""A command as a child process, and what it cost: wall time, CPU time, peak memory, requests."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TIME_LIMIT_S = 900.0


@dataclass(frozen=True)
class Cost:
    """What a command took; CPU is user plus system time of it and its children."""

    wall_s: float
    cpu_s: float
    rss_mb: float
    requests: int

    def then(self, other: "Cost") -> "Cost":
        """Two commands, one after the other."""
        return Cost(
            self.wall_s + other.wall_s,
            self.cpu_s + other.cpu_s,
            max(self.rss_mb, other.rss_mb),
            self.requests + other.requests,
        )

    def as_json(self) -> dict[str, float]:
        """The fields, rounded."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


class Server:
    """The mock server's address and counts."""

    def __init__(self, url: str) -> None:
        self.url = url

    def stats(self) -> dict[str, Any]:
        """Requests so far, those refused, and the server's own CPU seconds."""
        with urllib.request.urlopen(self.url.removesuffix("/v1") + "/stats", timeout=10) as response:
            stats: dict[str, Any] = json.load(response)
        return stats


@contextmanager
def serving(workload: Path, latency_ms: float) -> Iterator[Server]:
    """The mock server in a process of its own; it ends with the block, or with us."""
    script = Path(__file__).with_name("mock_server.py")
    command = [sys.executable, str(script), str(workload), "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise SystemExit("the mock server did not start; its error is above")
        try:
            yield Server(url)
        finally:
            process.stdin.close()


def measure(
    command: Sequence[str | Path], environment: Mapping[str, str], folder: Path, log: Path, server: Server
) -> Cost:
    """Run a command to its end.

    Args:
        command: the command line.
        environment: its environment variables.
        folder: its working directory, made when missing.
        log: file for what it prints.
        server: whose requests it makes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    before = server.stats()
    started = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        timer = threading.Timer(TIME_LIMIT_S, process.kill)
        timer.start()
        # wait4 gives this child's own usage, where resource.getrusage would add up all children's.
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    after = server.stats()
    refused = after["refused"] - before["refused"]
    if process.returncode or refused:
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        shown = " ".join(map(str, command))
        raise SystemExit(f"{shown}: exit {process.returncode}, {refused} requests refused\n{tail}")
    # ru_maxrss is in KiB on Linux, in bytes on macOS.
    rss = usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)
    return Cost(wall, usage.ru_utime + usage.ru_stime, rss, after["requests"] - before["requests"])
