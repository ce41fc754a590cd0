"""Scores result folders with the unmodified bfcl_eval. Runs in its environment; imports nothing of ours.

    python -m tests.parity.official_scores TASKS SCORES SCRATCH

TASKS is a JSON file: [{"model", "result"}, ...], a model of the official table and the folder that has its
folder. SCORES gets a list in the same order: {"verdicts": entry id -> correct, "headers": category -> the
score file's first line, "totals": the row of data_overall.csv}, or {"raised"} where the official run stopped.
"""

import csv
import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.parity.official_driver import Json, in_child, read_lines


def evaluate(model: str, result_dir: Path, score_dir: Path) -> Json:
    """What `bfcl evaluate --partial-eval` says."""
    from bfcl_eval.eval_checker import eval_runner
    from bfcl_eval.utils import parse_test_category_argument

    categories = parse_test_category_argument(["single_turn", "multi_turn"])
    folder = model.replace("/", "_")
    eval_runner.runner([folder], categories, result_dir, score_dir, allow_missing=True)
    verdicts: dict[str, bool] = {}
    headers: dict[str, Any] = {}
    for file in (result_dir / folder).rglob("BFCL_v4_*_result.json"):
        score = score_dir / file.relative_to(result_dir).with_name(file.name.replace("_result", "_score"))
        header, *wrong = read_lines(score)
        headers[file.name.removeprefix("BFCL_v4_").removesuffix("_result.json")] = header
        verdicts |= {line["id"]: True for line in read_lines(file)}
        verdicts |= {line["id"]: False for line in wrong}
    with (score_dir / "data_overall.csv").open(newline="", encoding="utf-8") as table:
        [totals] = csv.DictReader(table)
    return {"verdicts": verdicts, "headers": headers, "totals": totals}


def main() -> None:
    """Score every task, each in a process of its own."""
    tasks_file, scores_file, scratch = map(Path, sys.argv[1:])
    root = scratch / "root"
    root.mkdir(parents=True)
    keys = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "COHERE_API_KEY", "MISTRAL_API_KEY", "GOOGLE_API_KEY")
    os.environ.update(BFCL_PROJECT_ROOT=str(root), **dict.fromkeys(keys, "unused"))
    from bfcl_eval.eval_checker import eval_runner  # noqa: F401 - once, before the forks

    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - for the process's whole life
    scores = []
    for number, task in enumerate(json.loads(tasks_file.read_text(encoding="utf-8"))):
        answer = in_child(evaluate, task["model"], Path(task["result"]), scratch / f"score-{number}")
        scores.append(answer.get("value", answer))
    scores_file.write_text(json.dumps(scores), encoding="utf-8")


if __name__ == "__main__":
    main()
