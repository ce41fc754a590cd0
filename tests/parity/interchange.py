"""Both directions of the interchange: logs of played cases, results in every dialect, the official scores."""

import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, cast

import anyio
from inspect_ai import eval as run
from inspect_ai.log import EvalLog, EvalSample, write_eval_log
from inspect_ai.scorer import Score

from kate_eval.bfcl import checker
from kate_eval.bfcl.categories import Mode
from kate_eval.bfcl.data import Entry
from kate_eval.bfcl.interchange.layout import result_file
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.bfcl.task import sample_of
from kate_eval.episode import FAILURE_KEY, OUTCOME_KEY, Call
from kate_eval.solvers.kate import baseline
from kate_eval.tasks.bfcl import bfcl

from .cases import DONE, Case, Plan
from .compare import ROOT, official_python
from .kinds import KINDS
from .ours import play


@dataclass(frozen=True)
class Official:
    """What `bfcl evaluate` said of one result folder.

    Attributes:
        verdicts: entry id -> correct.
        headers: category -> the first line of its score file.
        totals: the model's row of data_overall.csv.
        raised: why the run stopped, if it did.
    """

    verdicts: dict[str, bool]
    headers: dict[str, dict[str, Any]]
    totals: dict[str, str]
    raised: str


def official_scores(folders: Sequence[tuple[str, Path]], scratch: Path) -> list[Official]:
    """Score result folders, (model, folder that has the model's), with the unmodified package."""
    scratch.mkdir(parents=True)
    tasks, scores = scratch / "tasks.json", scratch / "scores.json"
    tasks.write_text(json.dumps([{"model": model, "result": str(folder)} for model, folder in folders]))
    command = [str(official_python()), "-m", "tests.parity.official_scores"]
    subprocess.run(
        [*command, str(tasks), str(scores), str(scratch / "work")], check=True, capture_output=True, cwd=ROOT
    )
    found = json.loads(scores.read_text(encoding="utf-8"))
    return [
        Official(
            one.get("verdicts", {}), one.get("headers", {}), one.get("totals", {}), one.get("raised", "")
        )
        for one in found
    ]


def real_log(folder: Path, ids: Sequence[str]) -> EvalLog:
    """The log of a run over some entries in prompting mode, by a simulated model that makes mistakes."""
    task = bfcl(categories="all", split="all", mode="prompt")
    [log] = run(
        task,
        model="simulated/weak",
        solver=baseline(),
        sample_id=list(ids),
        log_dir=str(folder),
        display="log",
    )
    return log


def sample_log(cases: Iterable[Case], mode: Mode, like: EvalLog) -> EvalLog:
    """A log whose samples are played cases, written beside a real one that the rest of it is from."""
    samples = anyio.run(_played, cases, mode)
    log = like.model_copy(deep=True)
    log.samples = samples
    log.eval.metadata = {**(log.eval.metadata or {}), "mode": mode}
    log.eval.dataset.sample_ids = [sample.id for sample in samples]
    log.eval.dataset.samples = len(samples)
    log.location = str(Path(like.location).with_name(f"{mode}.eval"))
    write_eval_log(log, log.location)
    return log


async def _played(cases: Iterable[Case], mode: Mode) -> list[EvalSample]:
    samples = []
    for case in cases:
        episode = BfclEpisode(case.entry, mode)
        try:
            await play(case, episode)
        except ValueError:  # Inspect can't read the answer, its sample ends in an error: gold instead
            episode = BfclEpisode(case.entry, mode)
            await play(cast(Case, KINDS["gold"].case(case.entry, mode)), episode)
        samples.append(played_sample(case.entry, await episode.outcome(), mode))
    return samples


def played_sample(entry: Entry, outcome: dict[str, Any], mode: Mode) -> EvalSample:
    """A sample as the task logs it, with our verdict on its outcome."""
    verdict = checker.check(entry, outcome["result"], mode)
    sample = sample_of(entry, mode)
    return EvalSample(
        id=entry.id,
        epoch=1,
        input=sample.input,
        target=sample.target,
        metadata=sample.metadata or {},
        store={OUTCOME_KEY: outcome, FAILURE_KEY: None},
        scores={"bfcl_verdict": Score(value="C" if verdict.correct else "I")},
    )


def usual_cases(mode: Mode, entries: Iterable[Entry]) -> Iterable[Case]:
    """One case of each entry, of a kind drawn by its id; without what official samples leak to each other."""
    kinds = [kind for kind in KINDS.values() if mode in kind.modes and kind.name != "default_list_changed"]
    for entry in entries:
        drawn = Random(f"interchange:{entry.id}").sample(kinds, len(kinds))
        # A third undamaged, so that there are enough correct ones.
        if Random(f"undamaged:{entry.id}").random() < 0.33:
            drawn.insert(0, KINDS["gold"])
        cases = (kind.case(entry, mode) for kind in drawn)
        yield next(case for case in cases if case is not None and not _calls_in_arithmetic(case))


def _calls_in_arithmetic(case: Case) -> bool:
    """Whether an answer would officially be evaluated: scoring departs there (docs/departures.md)."""
    return any("len('abc')" in (response.text or "") for response in case.script)


def write_results(
    plans: Iterable[tuple[Entry, Plan]], dialect: str, folder: Path, dotted: bool = True
) -> None:
    """Write plans as official result files in a dialect, for one model's folder."""
    lines: dict[Path, list[str]] = {}
    for entry, plan in plans:
        steps = [[written(calls, dialect, entry, dotted) for calls in turn] + [DONE] for turn in plan]
        result = steps if entry.multi_turn else (steps[0] or [DONE])[0]
        line = json.dumps({"id": entry.id, "result": result, "latency": 0.5, "inference_log": [{"x": 1}]})
        lines.setdefault(folder / result_file(entry.category), []).append(line)
    for file, found in lines.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(found) + "\n", encoding="utf-8")


def written(calls: Sequence[Call], dialect: str, entry: Entry, dotted: bool) -> Any:
    """Calls as a model's handler would have stored them."""
    named = [
        (call.name if dotted or entry.multi_turn else call.name.replace(".", "_"), call.arguments)
        for call in calls
    ]
    match dialect:
        case "fc":
            return [{name: json.dumps(arguments)} for name, arguments in named]
        case "objects":
            return [{name: arguments} for name, arguments in named]
        case "tool_name":
            return [{"tool_name": name, "parameters": arguments} for name, arguments in named]
        case "named":
            return [{"name": name, "arguments": arguments} for name, arguments in named]
        case "tagged":
            blocks = [json.dumps({"name": name, "arguments": arguments}) for name, arguments in named]
            return "\n".join(f"<tool_call>\n{block}\n</tool_call>" for block in blocks)
        case "json_parameters":
            return json.dumps([{"name": name, "parameters": arguments} for name, arguments in named])
        case "prompt" | "prompt_fenced" | "prompt_tool_code":
            text = "[" + ", ".join(call.text for call in calls) + "]"
            fences = {"prompt_fenced": "```python\n{}\n```", "prompt_tool_code": "```tool_code\n{}\n```"}
            return fences.get(dialect, "{}").format(text)
    return json.dumps([{"name": name, "arguments": arguments} for name, arguments in named])
