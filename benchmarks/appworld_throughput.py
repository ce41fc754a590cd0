"""AppWorld's sessions against the engine's reference way, a fresh process per task, on the mini world.

The model is simulated (`simulated/perfect`, 50 ms a request); engine, APIs and evaluation are the real ones.
Needs `kate appworld setup --mini`. Prints JSON; CPU is user plus system time of all processes.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from inspect_ai import eval

from kate_eval.appworld import data, places, record
from kate_eval.appworld.sessions import Limits, open_session, stop_engines
from kate_eval.solvers.kate import baseline
from kate_eval.tasks.appworld import appworld

SPLIT = "mini_test"
AT_ONCE = 16
REFERENCE = """
import json, sys
from appworld import AppWorld
task, steps = sys.argv[1], json.loads(sys.argv[2])
with AppWorld(task_id=task, experiment_name="reference", ground_truth_mode="full") as world:
    for code in steps:
        world.execute(code)
    assert world.evaluate().success
"""


def cpu(who: int) -> float:
    """User plus system seconds so far."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def played(epochs: int, log_dir: str) -> tuple[float, float, float, int]:
    """One eval: wall seconds, CPU seconds of the host and of the engine's processes, samples."""
    own, children, start = cpu(resource.RUSAGE_SELF), cpu(resource.RUSAGE_CHILDREN), time.perf_counter()
    [log] = eval(
        appworld(split=SPLIT),
        solver=baseline(),
        model="simulated/perfect",
        model_args={"latency": 0.05},
        epochs=epochs,
        max_samples=AT_ONCE,
        log_dir=log_dir,
        display="none",
        log_realtime=False,
    )
    wall = time.perf_counter() - start
    stop_engines()  # its children's CPU time is known once they have ended
    assert log.results is not None
    metrics = {name: one for score in log.results.scores for name, one in score.metrics.items()}
    assert metrics["tgc"].value == 100.0
    engine = cpu(resource.RUSAGE_CHILDREN) - children
    return wall, cpu(resource.RUSAGE_SELF) - own, engine, len(log.samples or [])


def reference(tasks: int) -> tuple[float, float]:
    """The engine's own way for each of some tasks: wall and CPU seconds a task."""
    children, start = cpu(resource.RUSAGE_CHILDREN), time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        (root / "data").symlink_to(places.full_data("mini"))
        for task in data.task_ids(SPLIT)[:tasks]:
            steps = [step["code"] for step in record.load_demonstration("mini", task)["steps"]]
            subprocess.run(
                [places.engine_python(), "-c", REFERENCE, task, json.dumps(steps)],
                env=os.environ | {"APPWORLD_ROOT": str(root)},
                cwd=root,
                check=True,
                capture_output=True,
            )
    wall = time.perf_counter() - start
    return wall / tasks, (cpu(resource.RUSAGE_CHILDREN) - children) / tasks


async def opened(count: int) -> tuple[float, float]:
    """CPU seconds of opening a session, and MiB that it adds, as means over some that are open at once."""
    task = data.task_ids(SPLIT)[0]
    first = await open_session("mini", task, Limits())
    engine = next(p for p in psutil.Process().children() if "kate_engine.serve" in " ".join(p.cmdline()))
    before = _tree(engine)
    sessions = [await open_session("mini", task, Limits()) for _ in range(count)]
    after = _tree(engine)
    for session in (first, *sessions):
        await session.close()
    return (after[0] - before[0]) / count, (after[1] - before[1]) / count / 2**20


def _tree(engine: psutil.Process) -> tuple[float, float]:
    """CPU seconds and proportional memory of the engine's processes."""
    processes = [engine, *engine.children(recursive=True)]
    times = [p.cpu_times() for p in processes]
    return sum(t.user + t.system for t in times), sum(p.memory_full_info().pss for p in processes)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=4, help="times the 12 tasks are played")
    parser.add_argument("--reference-tasks", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as logs:
        played(1, logs)  # what is loaded once
        warm = played(1, logs)  # the engine's own warm-up is in this and the next, and cancels out below
        many = played(1 + options.epochs, logs)
    samples = many[3] - warm[3]
    ours = {kind: (many[at] - warm[at]) / samples for at, kind in ((1, "host"), (2, "engine"))}
    opening = asyncio.run(opened(AT_ONCE))
    theirs = reference(options.reference_tasks)
    report: dict[str, Any] = {
        "samples": samples,
        "samples_per_minute": round(60 * samples / (many[0] - warm[0]), 1),
        "cpu_s_per_sample_host": round(ours["host"], 2),
        "cpu_s_per_sample_engine": round(ours["engine"], 2),
        "cpu_s_to_open_a_session": round(opening[0], 2),
        "mib_per_open_session": round(opening[1], 1),
        "reference_cpu_s_per_sample": round(theirs[1], 2),
        "reference_wall_s_per_sample": round(theirs[0], 2),
        "reference_cpu_divided_by_engine_cpu": round(theirs[1] / ours["engine"], 1),
        "reference_cpu_divided_by_all_our_cpu": round(theirs[1] / sum(ours.values()), 1),
    }
    json.dump(report, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
