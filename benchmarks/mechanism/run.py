"""The check with a user's commands: rows, a small base, SFT, GRPO, steps of the test half, rescore.

Runs in the trainers' environment. What is there already is not made again.
"""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kate_eval.trainers.row import Row
from kate_eval.trainers.rows.folder import load_rows
from mechanism.base import THREADS, make_base
from mechanism.measure import answer
from mechanism.results import Seed, clusters, measured, write_results


@dataclass(frozen=True)
class Size:
    """How much is trained and asked."""

    seeds: int
    base_steps: int
    sft_epochs: float
    rl_entries: int
    """Entries of the training half that GRPO plays, again and again: few, so that some steps suffice."""
    rl_steps: int
    test_steps: int
    """Steps of the test half that are asked greedily, spread over it."""
    sampled_steps: int
    """Steps of the test half that several answers are drawn for."""
    candidates: int
    rescored: int
    """Test entries of each category that are played whole."""


QUICK = Size(1, 1000, 2.0, 3, 20, 559, 100, 8, 1)
FULL = Size(3, 1000, 2.0, 6, 40, 559, 200, 8, 5)
ROWS = ("--categories", "multi_turn_base", "--knowledge", "trajectory")
EVERY = ("--dropout", "0", "--irrelevant", "0", "--held-out", "0")
SFT = {
    "learning_rate": 2e-3,
    "batch_size": 8,
    "accumulation": 1,
    "max_length": 900,
    "exact_rows": 0,
    "threads": THREADS,
}
GRPO = {
    "reward": "step_exact",
    "learning_rate": 3e-4,
    "epochs": 1000,
    "prompts": 8,
    "generations": 8,
    "batch_size": 8,
    "answer_tokens": 64,
    "completion_tokens": 64,
    "context_tokens": 964,
    "sample_batch": 64,
    "eval_rows": 0,
    "threads": THREADS,
}


KATE = str(Path(sys.executable).with_name("kate"))


def say(line: str) -> None:
    """A line of progress."""
    print(f"[{time.strftime('%H:%M:%S')}] {line}", flush=True)


def kate(*arguments: str) -> None:
    """Run a command of ours; its output is shown."""
    say("kate " + " ".join(arguments))
    subprocess.run([KATE, *arguments], check=True)


def make_rows(out: Path, rl_entries: int) -> None:
    """The training half with knowledge, and the part GRPO plays; the test half with that bank and without."""
    for name, told in {
        "rows": ("--split", "train", *ROWS),
        "rl-rows": ("--split", "train", *ROWS, *EVERY, "--limit", str(rl_entries)),
        "test-knowledge": ("--split", "test", "--allow-leakage", *ROWS, *EVERY),
        "test-plain": ("--split", "test", "--allow-leakage", *ROWS[:2], "--held-out", "0"),
    }.items():
        if not (out / name / "card.json").is_file():
            kate("train", "rows", "bfcl", *told, "-o", str(out / name))


def train(name: str, out: Path, base: Path, parameters: dict[str, Any]) -> Path:
    """Run a trainer; it says itself if its checkpoint is there."""
    folder = out / name
    config = out / f"{name}.json"
    config.write_text(json.dumps(parameters))
    trainer, rows = ("grpo", "rl-rows") if name == "rl" else ("sft", "rows")
    told = ("--rows", str(out.parent / rows), "--base", str(base), "-o", str(folder), "--config", str(config))
    kate("train", trainer, *told)
    return folder


def ask(
    checkpoint: Path, asked: dict[str, dict[str, Row]], candidates: int, seed: int
) -> dict[str, dict[str, Any]]:
    """What a checkpoint answers: its name and the prompts' -> right answers."""
    found: dict[str, dict[str, Any]] = {}
    for shown, rows in asked.items():
        say(f"Asking {checkpoint.name} for {len(rows)} steps, {shown}")
        many = candidates if shown in ("sampled", "training") else 1
        found[f"{checkpoint.name}, {shown}"] = measured(answer(checkpoint, list(rows.values()), many, seed))
    return found


def steps_of(out: Path, size: Size) -> dict[str, dict[str, Row]]:
    """What is asked: the test half with knowledge and without, and what GRPO plays."""
    return {
        "knowledge": chosen_steps(out / "test-knowledge", size.test_steps),
        "plain": chosen_steps(out / "test-plain", size.test_steps),
        "sampled": chosen_steps(out / "test-knowledge", size.sampled_steps),
        "training": chosen_steps(out / "rl-rows", size.test_steps),
    }


def chosen_steps(folder: Path, count: int) -> dict[str, Row]:
    """Steps with calls, at even distances: place in the benchmark -> row."""
    rows = [row for row in load_rows(folder).train if row.calls]
    count = min(count, len(rows))
    chosen = [rows[place * len(rows) // count] for place in range(count)]
    return {f"{row.entry}/{row.turn}/{row.step}": row for row in chosen}


def run_seed(out: Path, seed: int, size: Size) -> Seed:
    """Train and measure with one seed."""
    folder = out / f"seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    known = folder / "measured.json"
    if known.is_file():
        return Seed.read(known)
    learnt = load_rows(out / "rows").train
    described = make_base(learnt, folder / "base", size.base_steps, seed, say)
    asked = steps_of(out, size)
    sft = train("sft", folder, folder / "base", SFT | {"epochs": size.sft_epochs, "seed": seed})
    rl = train("rl", folder, sft, GRPO | {"max_steps": size.rl_steps, "seed": seed})
    answers = ask(sft, asked, size.candidates, seed)
    del asked["plain"]  # no claim needs it
    answers |= ask(rl, asked, size.candidates, seed)
    result = Seed(seed, described, curves(sft), curves(rl), answers)
    known.write_text(json.dumps(asdict(result)))
    return result


def curves(checkpoint: Path) -> dict[str, list[tuple[int, float]]]:
    """What the trainer noted on the way."""
    found: dict[str, list[tuple[int, float]]] = json.loads((checkpoint / "card.json").read_text())["curves"]
    return found


def rescore(out: Path, size: Size, env: str | None) -> None:
    """Serve the first seed's last checkpoint with real vLLM and play whole entries."""
    told = [
        "--limit",
        str(size.rescored),
        "--max-tokens",
        "64",
        "--log-dir",
        str(out / "logs"),
        "--port",
        str(free_port()),
    ]
    command = [KATE, "rescore", str(out / "seed-0/rl"), *told]
    command += ["--tasks", "bfcl", "--solvers", "baseline,kate", *(("--env", env) if env else ())]
    say(" ".join(command[1:]))
    subprocess.run([*command, "--", "--max-model-len", "8192"], check=True, env={**os.environ, **SMALL})


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


SMALL = {"VLLM_CPU_KVCACHE_SPACE": os.environ.get("VLLM_CPU_KVCACHE_SPACE", "1")}


def require_size(file: Path, size: Size) -> None:
    """Stop where the folder's results are of another size: they would be taken for this one's."""
    told = {name: value for name, value in asdict(size).items() if name != "seeds"}
    before = json.loads(file.read_text()) if file.is_file() else "sizes of an earlier version"
    if before != told and (file.is_file() or any(file.parent.glob("seed-*"))):
        sys.exit(f"{file.parent} was made with {before}, not {told}: choose another -o, or remove it")
    file.write_text(json.dumps(told))


def check(out: Path, size: Size, vllm: str | None = None, served: bool = True) -> None:
    """Do all of it.

    Args:
        out: folder for all that is made.
        size: how much.
        vllm: an environment with vLLM, as for kate serve --env.
        served: whether a real server plays whole entries, too.
    """
    out = out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    require_size(out / "size.json", size)
    began = time.monotonic()
    resumed = any(out.glob("seed-*"))
    make_rows(out, size.rl_entries)
    seeds = [run_seed(out, seed, size) for seed in range(size.seeds)]
    if served:
        rescore(out, size, vllm)
    seconds = None if resumed else time.monotonic() - began
    write_results(out, seeds, clusters(steps_of(out, size)), asdict(size), seconds)
    say(f"Written: {out / 'README.md'}, {out / 'mechanism.png'}")
