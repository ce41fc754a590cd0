"""From logs to official result files: `bfcl evaluate` gives each exported entry the verdict that the log has.

Layout: <output>/<model>/<group>/BFCL_v4_<category>_result.json, where <model> is a name of the official
table, whose handler reads what we write. Several runs or epochs get a result folder each:
<output>/<run>/<model>/....
"""

import json
import logging
import math
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspect_ai.log import (
    EvalLog,
    EvalSample,
    read_eval_log,
    read_eval_log_sample_summaries,
)

from kate_eval.bfcl import data, engine
from kate_eval.bfcl.categories import MODES, Mode
from kate_eval.bfcl.interchange.layout import result_file
from kate_eval.bfcl.interchange.mend import mended
from kate_eval.bfcl.interchange.registered import Registered, reader_of_ours
from kate_eval.episode import FAILURE_KEY, OUTCOME_KEY
from kate_eval.errors import ConfigurationError
from kate_eval.logs import (
    SHARDS,
    Tell,
    about,
    ended_logs,
    is_interrupted,
    make_folder,
    metadata_of,
    samples_of,
    why_unreadable,
)

logger = logging.getLogger(__name__)

_LARGE = {"events", "messages", "attachments"}


@dataclass(frozen=True)
class Exported:
    """A model's folder that was written.

    Attributes:
        folder: of the model, in its result folder.
        run: what was run: solver, model, when.
        epoch: of the run.
        entries: how many have a result.
        left_out: entry -> why it has none: it could not be scored.
        mended: entries whose text was changed, because the official tool stops at it.
        command: that scores it.
    """

    folder: Path
    run: str
    epoch: int
    entries: int
    left_out: dict[str, str]
    mended: tuple[str, ...]
    command: str


@dataclass(frozen=True)
class _Run:
    """The logs of one run: one, or the parts that it was split into."""

    names: tuple[str, ...]
    header: EvalLog

    @property
    def mode(self) -> Mode:
        told = metadata_of(self.header).get("mode")
        for mode in MODES:
            if mode == told:
                return mode
        raise ConfigurationError(f"{self.names[0]} was played in mode {told!r}; known are {', '.join(MODES)}")

    @property
    def epochs(self) -> int:
        return self.header.eval.config.epochs or 1

    @property
    def title(self) -> str:
        """Solver, model with its provider (so that a simulated one is seen), when and which run."""
        step = self.header.plan.steps[-1].solver if self.header.plan.steps else "solver"
        spec = self.header.eval
        parts = [step.rpartition("/")[2], spec.model, spec.created[:19], spec.eval_id[:8]]
        return "_".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts)


def export_logs(
    logs: Sequence[Path],
    output: Path,
    handler: str | None,
    epoch: int | None,
    partial: bool,
    tell: Tell = logger.warning,
) -> list[Exported]:
    """Export each BFCL run, a result folder per run and epoch.

    Args:
        logs: log files, or folders of them.
        output: the folder to write.
        handler: model of the official table to stand for ours; None: one that reads the mode's results.
        epoch: only this one; None: all.
        partial: take logs of runs that did not end well, too.
        tell: names what can't be read or is of other data, and is left out.

    Raises:
        ConfigurationError: there is no BFCL log of this data, none can be read, a run was not over,
            the handler does not read its results, or its folder holds another run.
    """
    runs = _runs(logs, partial, tell)
    chosen = [(run, n) for run in runs for n in range(1, run.epochs + 1) if epoch in (None, n)]
    if not chosen:
        raise ConfigurationError(f"--epoch {epoch}: the runs have {max(run.epochs for run in runs)}")
    several = len(chosen) > 1
    found = []
    for run, number in chosen:
        model = reader_of_ours(handler, run.mode)
        folder = output / f"{run.title}_e{number}" if several else output
        try:
            found.append(_export(run, number, folder, model))
        except _Damaged as ex:
            tell(str(ex))
    if not found:
        raise ConfigurationError("None of the logs can be read to its end")
    return found


class _Damaged(Exception):
    """A log that can be read in part only."""


def _runs(logs: Sequence[Path], partial: bool, tell: Tell) -> list[_Run]:
    chosen = ended_logs(logs, "bfcl", "BFCL", partial, tell, lambda name, log: _is_same_data(name, log, tell))
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for name, log in chosen.items():
        parts[_settings(log) if SHARDS in metadata_of(log) else name].append(name)
    return [_Run(tuple(names), chosen[names[0]]) for names in parts.values()]


def _is_same_data(name: str, log: EvalLog, tell: Tell) -> bool:
    version = metadata_of(log).get("bfcl_eval_version")
    if version == engine.BFCL_EVAL_VERSION:
        return True
    file = name.removeprefix("file://")
    tell(
        f"Left out, played on the data of bfcl-eval {version}: {file} (its verdicts hold for that version "
        f"only, and results are exported for {engine.BFCL_EVAL_VERSION})"
    )
    return False


def _settings(log: EvalLog) -> str:
    """What the parts of one run have in common."""
    steps = [(step.solver, step.params) for step in log.plan.steps]
    return repr(
        (log.eval.model, log.eval.model_roles, metadata_of(log), steps, log.eval.model_generate_config)
    )


def _export(run: _Run, epoch: int, output: Path, model: Registered) -> Exported:
    lines: defaultdict[str, dict[int, str]] = defaultdict(dict)
    left_out: dict[str, str] = {}
    changed: list[str] = []
    for sample in _samples(run, epoch):
        entry = data.load_entry(str(sample.id))
        reason = _unscored(sample)
        if reason is not None:
            left_out[entry.id] = reason
            continue
        if entry.index in lines[entry.category]:
            raise ConfigurationError(
                f"{entry.id} is in two logs of one run ({', '.join(run.names)}): export one alone"
            )
        written = sample.store[OUTCOME_KEY]["result"]
        result = mended(written, run.mode)
        changed += [entry.id] if result != written else []
        lines[entry.category][entry.index] = json.dumps({"id": entry.id, "result": result}) + "\n"
    folder = output / model.folder
    make_folder(folder, {"run": run.title, "eval_ids": _eval_id(run), "epoch": epoch}, about(run.header))
    for category, found in lines.items():
        _write(folder / result_file(category), [found[index] for index in sorted(found)])
    entries = sum(map(len, lines.values()))
    complete = all(len(found) == len(data.load_category(category)) for category, found in lines.items())
    return Exported(
        folder, run.title, epoch, entries, left_out, tuple(changed), _command(output, model, complete)
    )


def _samples(run: _Run, epoch: int) -> Iterator[EvalSample]:
    for name in run.names:
        try:
            there = [(s.id, s.epoch) for s in read_eval_log_sample_summaries(name) if s.epoch == epoch]
            yield from samples_of(name, there, _LARGE)
        except Exception as ex:  # as of headers: a damaged one must not hide the others
            file = name.removeprefix("file://")
            raise _Damaged(f"Left out, can't be read to its end: {file} ({why_unreadable(ex)})") from ex


def _unscored(sample: EvalSample) -> str | None:
    """Why the log's numbers leave the sample out; None if they don't."""
    if sample.error is not None:
        if is_interrupted(sample.error.message):
            return "interrupted"
        return (sample.error.message.strip().splitlines() or ["it ended in an error"])[0][:200]
    failure = sample.store.get(FAILURE_KEY)
    if failure:
        return str(failure)[:200]
    score = (sample.scores or {}).get("bfcl_verdict")
    if score is None or (isinstance(score.value, float) and math.isnan(score.value)):
        return "the log has no score for it"
    return None if OUTCOME_KEY in sample.store else "the log has no result of it"


def _eval_id(run: _Run) -> list[str]:
    return sorted(read_eval_log(name, header_only=True).eval.eval_id for name in run.names)


def _write(file: Path, lines: Sequence[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(lines), encoding="utf-8")


def _command(output: Path, model: Registered, complete: bool) -> str:
    result = output.resolve()
    # Its client asks for a key, though it is asked nothing.
    key = ["OPENAI_API_KEY=unused"] if model.handler.startswith("OpenAI") else []
    words = [*key, "bfcl", "evaluate", "--model", model.name, "--result-dir", str(result)]
    words += ["--score-dir", str(result.with_name(f"{result.name}-score"))]
    return shlex.join(words if complete else [*words, "--partial-eval"])
