"""What is compared: each peer's command lines, and where it leaves its accuracy."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from environments import BENCH, INSPECT_EVALS_CACHE, ROOT, WORKLOAD, clean_environment, python_of

CATEGORY = "multi_turn_base"
FIRST_ENTRY = f"{CATEGORY}_0"
OFFICIAL_MODEL = "openbmb/MiniCPM-SALA-FC"
"""An entry of the official model table that uses its OpenAI chat-completions handler as it is."""

Command = Sequence[str | Path]


@dataclass(frozen=True)
class Peer:
    """One way to run the workload.

    Attributes:
        key: what `--peers` calls it.
        title: for the table.
        environment: the virtual environment it runs in.
        commands: (base URL, folder, whether one entry only) -> command lines, run in order.
        accuracy: reads the accuracy that a full run left in its folder; None where it has none.
    """

    key: str
    title: str
    environment: str
    commands: Callable[[str, Path, bool], list[Command]]
    accuracy: Callable[[Path], float | None]


def variables(base_url: str, folder: Path) -> dict[str, str]:
    """Environment variables for every peer."""
    return clean_environment() | {
        "MOCK_BASE_URL": base_url,
        "MOCK_API_KEY": "none",
        "KATE_BASE_URL": base_url,
        # Its one or two requests, before the first sample, are none of the workload's.
        "KATE_EVAL_PREFLIGHT": "false",
        "OPENAI_BASE_URL": base_url,
        "OPENAI_API_KEY": "none",
        "BFCL_PROJECT_ROOT": str(folder),
        "INSPECT_EVALS_CACHE_DIR": str(INSPECT_EVALS_CACHE),
        "KATE_BENCH_WORKLOAD": str(WORKLOAD),
        "NO_PROXY": "127.0.0.1",
    }


def _inspect(
    environment: str, *arguments: str | Path, model: str = "openai-api/mock/gold"
) -> Callable[[str, Path, bool], list[Command]]:
    def commands(base_url: str, folder: Path, one: bool) -> list[Command]:
        flags = "--max-connections 100 --max-samples 100 --no-log-realtime --no-log-model-api --display plain"
        command: Command = [python_of(environment).with_name("inspect"), "eval", *arguments]
        command = [*command, "--model", model, "--log-dir", folder / "logs", *flags.split()]
        return [[*command, "--limit", "1"] if one else command]

    return commands


def _inspect_accuracy(environment: str, metric: str) -> Callable[[Path], float | None]:
    def accuracy(folder: Path) -> float | None:
        [log] = (folder / "logs").glob("*.eval")
        dump: list[str | Path] = [
            python_of(environment).with_name("inspect"),
            "log",
            "dump",
            "--header-only",
            log,
        ]
        found = subprocess.run(dump, check=True, capture_output=True, text=True, env=clean_environment())
        header = json.loads(found.stdout)
        if header["status"] != "success":
            raise SystemExit(f"{log}: {header['status']}")
        scores = header["results"]["scores"] if header.get("results") else []
        values = [score["metrics"][metric]["value"] for score in scores if metric in score["metrics"]]
        return float(values[0]) if values else None

    return accuracy


def _official(base_url: str, folder: Path, one: bool) -> list[Command]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command: Command = [python_of("official"), "-m", "bfcl_eval"]
    common = ["--model", OFFICIAL_MODEL, "--test-category", CATEGORY]
    generate = [*command, "generate", *common, "--num-threads", "100"]
    evaluate = [*command, "evaluate", *common]
    if one:
        (folder / "test_case_ids_to_generate.json").write_text(json.dumps({CATEGORY: [FIRST_ENTRY]}))
        return [[*generate, "--run-ids"], [*evaluate, "--partial-eval"]]
    return [generate, evaluate]


def _official_accuracy(folder: Path) -> float | None:
    [file] = (folder / "score").rglob(f"*{CATEGORY}_score.json")
    with file.open(encoding="utf-8") as lines:
        return float(json.loads(lines.readline())["accuracy"])


def _asyncio(client: str) -> Callable[[str, Path, bool], list[Command]]:
    def commands(base_url: str, folder: Path, one: bool) -> list[Command]:
        command: Command = [python_of("kate"), ROOT / "benchmarks" / "floor.py", WORKLOAD, base_url]
        command = [*command, "--client", client]
        return [[*command, "--limit", "1"] if one else command]

    return commands


def _asyncio_accuracy(folder: Path) -> float | None:
    last = (folder / "output.txt").read_text(encoding="utf-8").splitlines()[-1]
    return float(json.loads(last)["accuracy"])


KATE_TASK = (
    "kate",
    *("kate_eval/bfcl", "--solver", "baseline", "-T", f"categories={CATEGORY}", "-T", "split=all"),
)
KATE = Peer(
    "kate",
    "kate-eval",
    "kate",
    _inspect(*KATE_TASK),
    _inspect_accuracy("kate", "accuracy"),
)
PROVIDER = Peer(
    "provider",
    "kate-eval, kate/",
    "kate",
    _inspect(*KATE_TASK, model="kate/gold"),
    _inspect_accuracy("kate", "accuracy"),
)
BARE = Peer(
    "bare",
    "bare Inspect loop",
    "kate",
    _inspect("kate", f"{ROOT / 'benchmarks' / 'bare_loop.py'}@bare_loop"),
    lambda folder: None,
)
OFFICIAL = Peer("official", "official bfcl-eval", "official", _official, _official_accuracy)
INSPECT_EVALS = Peer(
    "inspect_evals",
    "inspect_evals/bfcl",
    "inspect_evals",
    _inspect("inspect_evals", "inspect_evals/bfcl", "-T", f"categories={CATEGORY}"),
    _inspect_accuracy("inspect_evals", "accuracy"),
)
CLIENT = Peer("client", "bare asyncio client (AsyncOpenAI)", "kate", _asyncio("openai"), _asyncio_accuracy)
FLOOR = Peer("floor", "floor (asyncio sockets)", "kate", _asyncio("sockets"), _asyncio_accuracy)

PEERS: dict[str, Peer] = {
    peer.key: peer for peer in (KATE, PROVIDER, BARE, OFFICIAL, INSPECT_EVALS, CLIENT, FLOOR)
}

BENCH_RUNS = BENCH / "runs"
