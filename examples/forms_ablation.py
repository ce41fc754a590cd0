"""The comparison of knowledge forms: one bank with all of them, one run a form, one table.

Builds a bank of the training half's gold with every form that gold has (by --model), adds reflections on the
model's own runs of the training half, evaluates each form and two combinations beside the baseline on BFCL's
multi-turn test entries, and prints the leaderboard. What is already built or played is not done again; a
bank that holds something else than before is played anew.

    python examples/forms_ablation.py --model simulated/default           # in minutes; nothing real about it
    python examples/forms_ablation.py --model vllm/Qwen/Qwen3-8B --entries 100
"""

import argparse
from functools import partial
from pathlib import Path

import anyio
from inspect_ai import Task, eval_set
from inspect_ai.model import get_model
from inspect_ai.solver import Solver
from rich.console import Console

from kate_eval.bfcl.categories import MULTI_TURN
from kate_eval.bfcl.data import load
from kate_eval.knowledge.acquire.bfcl import gold_cases
from kate_eval.knowledge.acquire.build import Asking, build
from kate_eval.knowledge.acquire.case import Acquired
from kate_eval.knowledge.acquire.logs import log_cases
from kate_eval.knowledge.embed import make_embedder
from kate_eval.report.formats.terminal import shown
from kate_eval.report.make import make_document
from kate_eval.report.read import read_logs
from kate_eval.solvers.kate import baseline, knowledge
from kate_eval.tasks.bfcl import bfcl

GOLD_FORMS = ("trajectory", "summary", "intent", "intent_summary")
ROWS = (*GOLD_FORMS, "reflection", "trajectory,summary", "trajectory,reflection")


def built(acquired: Acquired, forms: tuple[str, ...], args: argparse.Namespace, append: bool) -> str:
    """Add forms to the ablation's bank; answers that are known are not asked for again.

    Returns:
        The hash of what it holds.
    """
    asking = Asking(models={"": get_model(args.model, base_url=args.model_base_url)})
    work = partial(build, acquired, forms, args.bank, make_embedder(args.embedder), asking, append)
    done = anyio.run(work)
    print(f"{args.bank}: {done.bank.card.forms}, failed {done.bank.card.failed or 'none'}")
    return done.bank.card.items_hash


def play(tasks: list[Task], args: argparse.Namespace, folder: str) -> None:
    """Run tasks as one set: those with a finished log are not run again."""
    success, _ = eval_set(
        tasks,
        log_dir=str(args.log_dir / folder),
        model=args.model,
        model_base_url=args.model_base_url,
        max_samples=args.max_samples,
        max_connections=args.max_samples,
        retry_on_error=2,
        log_realtime=False,
        display=args.display,
    )
    if not success:
        print(f"Not every run in {args.log_dir / folder} ended well: run this again to go on")


def task(solver: Solver, split: str, entries: int) -> Task:
    """BFCL's multi-turn entries of a split, with a solver."""
    made = bfcl(categories="multi_turn", split=split)
    chosen = {entry.id for category in MULTI_TURN for entry in list(load([category], split))[:entries]}  # type: ignore[arg-type]
    made.dataset = made.dataset.filter(lambda sample: sample.id in chosen)
    made.solver = solver
    return made


def main() -> None:
    """Build, evaluate, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument(
        "--model", required=True, help="an Inspect model; it writes the knowledge and uses it"
    )
    parser.add_argument("--model-base-url")
    parser.add_argument("--entries", type=int, default=25, help="test entries of each category, at most 100")
    parser.add_argument("--embedder", default="lexical")
    parser.add_argument("--bank", type=Path, default=Path("banks/ablation"))
    parser.add_argument("--log-dir", type=Path, default=Path("logs/ablation"))
    parser.add_argument("--max-samples", type=int, default=32)
    parser.add_argument("--display", default="plain", choices=("plain", "rich", "none"))
    args = parser.parse_args()
    built(gold_cases("train"), GOLD_FORMS, args, append=False)
    play([task(baseline(), "train", args.entries)], args, "train")
    holds = built(log_cases([args.log_dir / "train"], "bfcl", print), ("reflection",), args, append=True)
    play([task(baseline(), "test", args.entries)], args, "test-baseline")
    # Inspect knows a task by its parameters, of which the folder's name is one, not by what is in the folder.
    solvers = [knowledge(knowledge=forms, bank=str(args.bank)) for forms in ROWS]
    play([task(solver, "test", args.entries) for solver in solvers], args, f"test-{holds}")
    console = Console(width=200)
    for part in shown(
        make_document(read_logs(args.log_dir / "test-baseline", args.log_dir / f"test-{holds}"))
    ):
        console.print(part)


if __name__ == "__main__":
    main()
