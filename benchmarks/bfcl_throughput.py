"""The same 1,876 requests through kate-eval, the official harness and inspect_evals, as ratios.

`python benchmarks/bfcl_throughput.py` builds what is missing under .bench/, starts the mock server, runs
each peer in a process of its own, prints a table and writes .bench/results/. Ratios are what counts:
absolute times depend on the machine and on what else it does.

Start-up is the same command on one entry. CPU per request is the slope between that and the full run,
so it holds everything that grows with the workload: requests, logging, scoring.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from statistics import median

from environments import BENCH, WORKLOAD, build, python_of, seed_inspect_evals, write_workload
from measure import Cost, Server, measure, serving
from peers import BENCH_RUNS, PEERS, Peer, variables

EXPECTED_REQUESTS = 1876


@dataclass(frozen=True)
class Result:
    """One peer in one round: each command of the full run, and the same on one entry."""

    full: list[Cost]
    startup: list[Cost]
    accuracy: float | None

    @property
    def total(self) -> Cost:
        """The full run's commands together."""
        return reduce(Cost.then, self.full)

    @property
    def cpu_per_request_ms(self) -> float:
        """CPU per request beyond start-up, in milliseconds."""
        one = reduce(Cost.then, self.startup)
        return 1000 * (self.total.cpu_s - one.cpu_s) / (self.total.requests - one.requests)


def run_peer(peer: Peer, server: Server, one: bool) -> tuple[list[Cost], float | None]:
    """Run a peer's commands; returns their costs, and the accuracy of a full run."""
    folder = BENCH_RUNS / peer.key / ("startup" if one else "full")
    shutil.rmtree(folder, ignore_errors=True)
    costs = [
        measure(command, variables(server.url, folder), folder, folder / "output.txt", server)
        for command in peer.commands(server.url, folder, one)
    ]
    return costs, None if one else peer.accuracy(folder)


def run_round(names: Sequence[str], server: Server) -> dict[str, Result]:
    """Run every peer once, one after the other."""
    results = {}
    for name in names:
        print(f"  {PEERS[name].title} ...", end="", flush=True)
        startup, _ = run_peer(PEERS[name], server, one=True)
        full, accuracy = run_peer(PEERS[name], server, one=False)
        results[name] = Result(full, startup, accuracy)
        total = results[name].total
        if total.requests != EXPECTED_REQUESTS:
            raise SystemExit(f" made {total.requests} requests instead of {EXPECTED_REQUESTS}")
        print(f" {total.wall_s:.1f} s, {total.cpu_s:.1f} s CPU", flush=True)
    return results


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def _absolute(name: str, results: Sequence[Result]) -> list[str]:
    accuracy = results[-1].accuracy
    return [
        PEERS[name].title,
        f"{median(result.total.wall_s for result in results):.1f} s",
        f"{median(result.total.cpu_s for result in results):.1f} s",
        f"{median(sum(cost.cpu_s for cost in result.startup) for result in results):.1f} s",
        f"{median(result.cpu_per_request_ms for result in results):.1f} ms",
        f"{median(result.total.rss_mb for result in results):.0f} MB",
        "-" if accuracy is None else f"{accuracy:.1%}",
    ]


def absolutes(rounds: Sequence[dict[str, Result]]) -> list[str]:
    """The table of medians over the rounds."""
    head = ["", "wall", "CPU", "of it start-up", "CPU per request", "peak RSS", "accuracy"]
    return _table(head, [_absolute(name, [found[name] for found in rounds]) for name in rounds[0]])


MEASURES: dict[str, Callable[[Result], float]] = {
    "wall": lambda result: result.total.wall_s,
    "CPU": lambda result: result.total.cpu_s,
    "CPU per request": lambda result: result.cpu_per_request_ms,
    "peak RSS": lambda result: result.total.rss_mb,
}


OURS = ("kate", "provider")


def ratios(rounds: Sequence[dict[str, Result]]) -> list[str]:
    """Each of ours divided by each other peer: the median of the rounds' ratios."""
    lines: list[str] = []
    for ours in OURS:
        others = [name for name in rounds[0] if name != ours]
        if ours in rounds[0] and others:
            head = [f"{PEERS[ours].title} divided by", *MEASURES]
            lines += ["", *_table(head, [_divided(rounds, ours, name) for name in others])]
    return lines[1:]


def _divided(rounds: Sequence[dict[str, Result]], ours: str, name: str) -> list[str]:
    found = [median(of(each[ours]) / of(each[name]) for each in rounds) for of in MEASURES.values()]
    return [PEERS[name].title, *(f"{value:.2f}" for value in found)]


def stages(rounds: Sequence[dict[str, Result]]) -> list[str]:
    """What the commands of a peer with several took each, in the last round."""
    return [
        f"{PEERS[name].title}, command {number}: {cost.wall_s:.1f} s wall, {cost.cpu_s:.1f} s CPU, "
        f"{cost.rss_mb:.0f} MB; on one entry {start.wall_s:.1f} s, {start.cpu_s:.1f} s CPU"
        for name, result in rounds[-1].items()
        if len(result.full) > 1
        for number, (cost, start) in enumerate(zip(result.full, result.startup, strict=True), 1)
    ]


def write_results(rounds: Sequence[dict[str, Result]], latency_ms: float, table: str) -> Path:
    """Write .bench/results/<date>.json and .md; returns the folder."""
    folder = BENCH / "results"
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC)
    data = {
        "date": now.isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg(),
        "python": platform.python_version(),
        "latency_ms": latency_ms,
        "rounds": [
            {
                name: {
                    "full": [cost.as_json() for cost in result.full],
                    "startup": [cost.as_json() for cost in result.startup],
                    "cpu_per_request_ms": round(result.cpu_per_request_ms, 3),
                    "accuracy": result.accuracy,
                }
                for name, result in found.items()
            }
            for found in rounds
        ],
    }
    stem = now.strftime("%Y%m%dT%H%M%S")
    (folder / f"{stem}.json").write_text(json.dumps(data, indent=1), encoding="utf-8")
    (folder / f"{stem}.md").write_text(table + "\n", encoding="utf-8")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--peers", default=",".join(PEERS), help="comma-separated; default: all")
    parser.add_argument("--latency-ms", type=float, default=50.0)
    args = parser.parse_args()
    names = args.peers.split(",")
    if unknown := [name for name in names if name not in PEERS]:
        parser.error(f"unknown peers {unknown}; choose from: {', '.join(PEERS)}")
    BENCH.mkdir(exist_ok=True)
    for environment in {"kate": None} | {PEERS[name].environment: None for name in names}:
        build(environment)
    write_workload(python_of("kate"))
    seed_inspect_evals(python_of("kate"))
    with serving(WORKLOAD, args.latency_ms) as server:
        print("warming up (bytecode, caches of the file system)", flush=True)
        for name in names:
            run_peer(PEERS[name], server, one=True)
        rounds = []
        for number in range(args.rounds):
            print(f"round {number + 1} of {args.rounds}", flush=True)
            rounds.append(run_round(names, server))
        server_cpu = server.stats()["cpu_s"]
    table = "\n".join([*absolutes(rounds), "", *ratios(rounds), "", *stages(rounds)]).strip()
    print(f"\n{table}\n\nThe mock server took {server_cpu:.1f} s CPU. Results: ", end="")
    print(write_results(rounds, args.latency_ms, table))


if __name__ == "__main__":
    main()
