"""Why the samples of runs failed (docs/failures.md), looked up in their logs and kept in the user's cache.

Finding a cause takes the whole sample, some ten milliseconds each; the summaries, which all else rests on,
take less than one. So causes are looked up where a report is written, or asked for.
"""

import hashlib
import json
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from inspect_ai.log import read_eval_log_sample

from kate_eval import failures
from kate_eval.errors import DatasetError
from kate_eval.failures import cause_of, group_of
from kate_eval.installation import cache
from kate_eval.report.document import Flag
from kate_eval.report.runs import Run, SampleRow

logger = logging.getLogger(__name__)

UNASKED = 1000
"""Failed samples that a report looks into without being asked: ten seconds or so."""
UNSCORED = "environment_error"
UNEXPLAINED = "unexplained"
Step = Callable[[int, int], None]
"""Is told of progress: samples looked into, and how many there are."""


@dataclass(frozen=True)
class Causes:
    """Failed samples of a run.

    Attributes:
        kinds: cause -> samples; those that were not scored are environment errors.
        groups: parse and capability -> samples.
    """

    kinds: Mapping[str, int]
    groups: Mapping[str, int]


@dataclass(frozen=True)
class LookUp:
    """What was looked up.

    Attributes:
        causes: id of a run -> why its samples failed; runs that were not looked into are left out.
        notes: what was not looked into, and why.
    """

    causes: Mapping[str, Causes] = field(default_factory=dict)
    notes: tuple[Flag, ...] = ()


def look_up(runs: Sequence[Run], most: int | None = None, step: Step = lambda done, all: None) -> LookUp:
    """Why the samples of runs failed.

    Args:
        runs: the runs.
        most: how many samples may be read, beside those that are known; None for any number. Where there
            are more, none is read, and only runs of which all is known have causes.
        step: is told of progress.
    """
    known = {file: _kept(file) for run in runs for file in _failed(run)}
    wanted = [
        (file, sample)
        for run in runs
        for file, samples in _failed(run).items()
        for sample in samples
        if _key(sample) not in known[file]
    ]
    notes = []
    if most is not None and len(wanted) > most:
        text = f"{len(wanted)} failed samples were not looked into for their cause: kate report --causes does"
        notes.append(Flag(code="causes", text=text))
    else:
        try:
            _read(wanted, known, step)
        except DatasetError as ex:
            notes.append(Flag(code="causes", text=f"Causes of failures were not looked up: {ex}"))
    found = {run.id: _causes(run, known) for run in runs}
    return LookUp({id: causes for id, causes in found.items() if causes is not None}, tuple(notes))


def _failed(run: Run) -> dict[str, list[SampleRow]]:
    """Log -> its samples that were scored and failed."""
    found: dict[str, list[SampleRow]] = defaultdict(list)
    for sample in run.samples:
        if sample.observed is not None and not sample.observed.value:
            found[sample.file].append(sample)
    return found


def _key(sample: SampleRow) -> str:
    """A sample's name in the cache; a sample that was scored again has another."""
    return f"{sample.entry} {sample.epoch} {sample.verdict}"


def _read(wanted: Sequence[tuple[str, SampleRow]], known: dict[str, dict[str, str]], step: Step) -> None:
    """Look into samples; what was found is kept log by log, so that an interrupted search goes on."""
    last = ""
    for number, (file, sample) in enumerate(wanted):
        if last not in ("", file):
            _keep(last, known[last])
        step(number, len(wanted))
        known[file][_key(sample)] = _cause(file, sample)
        last = file
    if last:
        _keep(last, known[last])
        step(len(wanted), len(wanted))


def _cause(file: str, sample: SampleRow) -> str:
    try:
        # AppWorld's code is in the messages; events and attachments say nothing of a failure.
        full = read_eval_log_sample(file, sample.id, sample.epoch, exclude_fields={"events", "attachments"})
    except (
        Exception
    ) as ex:  # other software's file, which may have been damaged since its summaries were read
        logger.warning("Can't be read: sample %s of %s (%s)", sample.entry, file, ex)
        return "unreadable"
    found = cause_of(full)
    return found.kind if found else UNEXPLAINED


def _causes(run: Run, known: Mapping[str, Mapping[str, str]]) -> Causes | None:
    """None where a sample was not looked into."""
    kinds: Counter[str] = Counter()
    for file, samples in _failed(run).items():
        for sample in samples:
            kind = known[file].get(_key(sample))
            if kind is None:
                return None
            kinds[kind] += 1
    groups = Counter({"parse": 0, "capability": 0})
    for kind, count in kinds.items():
        if group_of(kind) != "infrastructure":
            groups[group_of(kind)] += count
    return Causes(kinds + Counter({UNSCORED: run.errors}), groups)


def _place(file: str) -> Path:
    name = hashlib.sha256(file.encode()).hexdigest()[:32]
    return cache() / "failures" / f"{name}.json"


@lru_cache(1)
def _rules() -> str:
    """A hash of the rules, by which causes of older ones are found anew."""
    digest = hashlib.sha256()
    for file in sorted(Path(failures.__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _kept(file: str) -> dict[str, str]:
    """What is known of a log's samples; {} where nothing is, or nothing that could be used."""
    try:
        found = json.loads(_place(file).read_text(encoding="utf-8"))
        return dict(found["causes"]) if found["rules"] == _rules() else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _keep(file: str, found: Mapping[str, str]) -> None:
    place = _place(file)
    part = place.with_suffix(f".{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"rules": _rules(), "log": file, "causes": found}), encoding="utf-8")
        part.replace(place)
    except OSError as ex:
        logger.warning("Causes of failures can't be kept for the next report: %s", ex)
