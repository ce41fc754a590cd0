"""Scores anybody's official result files with our checker, and keeps what became of lines that can't be.

Departure from `bfcl evaluate`: an answer that is an inference error is not scored (docs/departures.md); what
it counts for officially is kept beside it.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kate_eval.bfcl import data, engine
from kate_eval.bfcl.categories import Mode, is_multi_turn
from kate_eval.bfcl.checker import Verdict, check
from kate_eval.bfcl.dialect import Dialect
from kate_eval.bfcl.interchange.detection import Evidence, choose_dialect
from kate_eval.bfcl.interchange.layout import ResultFile, current_id, result_files, unnamed_files
from kate_eval.bfcl.interchange.lines import Line, Problem, read_lines, shown
from kate_eval.bfcl.interchange.registered import Registered, of_folder
from kate_eval.errors import ConfigurationError, DatasetError
from kate_eval.logs import ORIGIN, SIMULATED_MARK
from kate_eval.stats import Observed

INFERENCE_ERROR = "Error during inference:"
"""What the official tool writes for an answer where the request failed."""
NO_RESULT = "no line of it is a result"
MAX_KEPT = 1000
MAX_NAMED = 20
"""Problems of a file, and missing entries, that are named; the others are counted."""


@dataclass(frozen=True)
class Judged:
    """One entry's result, judged.

    Attributes:
        entry: what was asked.
        verdict: the official one; an inference error is wrong there (right for irrelevance).
        error: the inference error, if it is one; then our numbers leave it out.
    """

    entry: data.Entry
    verdict: Verdict
    error: str = ""


@dataclass
class Scoring:
    """The result files of one model, scored.

    Attributes:
        path: the folder or file.
        model: the model that `bfcl evaluate` takes it for; None if it knows none of this name.
        dialect: how the answers were read.
        judged: entry id -> its result; of several lines the last counts.
        problems: lines that can't be used, and files (line 0); the first MAX_KEPT of them.
        counts: how many lines or files there were of each kind: duplicate, foreign, unknown, malformed,
            empty, unnamed.
        categories: that there are files of, also where nothing in them is a result; in official order.
        skipped: files of categories that BFCL-V3 has not.
        simulated: whether they are exported from a simulated model's run.
    """

    path: Path
    model: Registered | None
    dialect: Dialect
    judged: dict[str, Judged] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    categories: tuple[str, ...] = ()
    skipped: list[Path] = field(default_factory=list)
    simulated: bool = False

    @property
    def observed(self) -> list[Observed]:
        """Our observations: what was judged, without inference errors."""
        return [
            Observed(float(item.verdict.correct), item.entry.category, item.entry.cluster, item.entry.id)
            for item in self.judged.values()
            if not item.error
        ]

    @property
    def unscored(self) -> list[str]:
        """Categories that there are files of, but no result."""
        judged = {item.entry.category for item in self.judged.values()}
        return [category for category in self.categories if category not in judged]

    def missing(self, category: str) -> list[str]:
        """Ids of the category's entries that have no result."""
        return [entry.id for entry in data.load_category(category) if entry.id not in self.judged]


def score_results(path: Path, mode: Mode | None) -> Scoring:
    """Score the result files of a model.

    Args:
        path: its folder, or one file.
        mode: how it was asked; None: found from the content, or the folder's name.

    Raises:
        ConfigurationError: there are no result files, none holds a result, or the mode is not
            to be found out.
        DatasetError: bfcl-eval is missing.
    """
    files, skipped = result_files(path)
    model = _model(path)
    evidence, faults = _look(files)
    if len(faults) == len(files):
        raise ConfigurationError(f"Nothing to score: {'; '.join(map(str, [*faults.values()][:MAX_NAMED]))}")
    categories = tuple(file.category for file in files)
    dialect = choose_dialect(evidence, model, mode)
    scoring = Scoring(
        path, model, dialect, categories=categories, skipped=skipped, simulated=_simulated(path)
    )
    for unnamed in unnamed_files(path):
        _note(scoring, Problem(unnamed, 0, "no category of BFCL is named so"), "unnamed")
    for file in files:
        fault = faults.get(file.path)
        if fault is not None:
            _note(scoring, fault, "empty" if fault.reason == NO_RESULT else "malformed")
        if fault is None or fault.reason == NO_RESULT:
            for line in read_lines(file.path):
                _score_line(scoring, file, line)
    return scoring


def _model(path: Path) -> Registered | None:
    """The official model whose folder the path is, or is in."""
    resolved = path.resolve()
    found = (of_folder(folder.name) for folder in (resolved, *resolved.parents[:2]))
    return next((model for model in found if model is not None), None)


def _simulated(path: Path) -> bool:
    """Whether what our export wrote beside the results says that a simulated model gave them."""
    resolved = path.resolve()
    places = [folder / ORIGIN for folder in (resolved, *resolved.parents[:2])]
    return any(_says_so(file) for file in (*places, *resolved.rglob(ORIGIN)))


def _says_so(file: Path) -> bool:
    try:
        told = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):  # none there, or anybody's
        return False
    return isinstance(told, dict) and told.get(SIMULATED_MARK) is True


def _look(files: list[ResultFile]) -> tuple[Evidence, dict[Path, Problem]]:
    """What the answers look like, and the files that can't be read, or in which nothing is a result."""
    evidence = Evidence()
    faults: dict[Path, Problem] = {}
    for file in files:
        try:
            lines = (line for line in read_lines(file.path) if isinstance(line, Line))
            found = False
            for line in lines:
                found = True
                evidence.add(current_id(line.entry_id), file.category, line.result)
            if not found:
                faults[file.path] = Problem(file.path, 0, NO_RESULT)
        except OSError as ex:
            faults[file.path] = Problem(file.path, 0, ex.strerror or type(ex).__name__)
    return evidence, faults


def _note(scoring: Scoring, problem: Problem, kind: str) -> None:
    scoring.counts[kind] += 1
    if len(scoring.problems) < MAX_KEPT:
        scoring.problems.append(problem)


def _score_line(scoring: Scoring, file: ResultFile, line: Line | Problem) -> None:
    if isinstance(line, Problem):
        _note(scoring, line, "malformed")
        return
    entry_id = current_id(line.entry_id)
    try:
        entry = data.load_entry(entry_id)
    except DatasetError:
        reason = f"{shown(line.entry_id)} is no entry of BFCL-V3 in bfcl-eval {engine.BFCL_EVAL_VERSION}"
        _note(scoring, Problem(file.path, line.number, reason), "unknown")
        return
    if entry.category != file.category:
        reason = f"{entry.id} is an entry of {entry.category}, not of {file.category}"
        _note(scoring, Problem(file.path, line.number, reason), "foreign")
        return
    if entry.id in scoring.judged:
        reason = f"{entry.id} stands there again: this line counts, the one before does not"
        _note(scoring, Problem(file.path, line.number, reason), "duplicate")
    scoring.judged[entry.id] = _judge(entry, line.result, scoring.dialect)


def _judge(entry: data.Entry, result: Any, dialect: Dialect) -> Judged:
    if isinstance(result, str) and result.startswith(INFERENCE_ERROR):
        right = "irrelevance" in entry.category  # what doesn't decode calls nothing
        return Judged(entry, Verdict(right, "" if right else "inference_error", result[:200]), result[:200])
    try:
        return Judged(entry, _verdict(entry, result, dialect))
    except RecursionError:  # data nested just within what JSON's reader allows
        return Judged(entry, Verdict(False, "checker:RecursionError", "nested too deep"))


def _verdict(entry: data.Entry, result: Any, dialect: Dialect) -> Verdict:
    """The checker's verdict; multi-turn results may have any shape in somebody else's file."""
    if not is_multi_turn(entry.category):
        return check(entry, result, dialect)
    if not isinstance(result, list):
        return Verdict(False, "multi_turn:inference_error", "the result is no list of turns")
    if len(result) == len(entry.gold) and not all(isinstance(turn, list | dict | str) for turn in result):
        return Verdict(False, "multi_turn:malformed", "a turn is no list of answers")
    steps = [list(turn) if isinstance(turn, list | dict) else [] for turn in result]
    return check(entry, steps, dialect)
