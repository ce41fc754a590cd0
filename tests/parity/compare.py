"""Both sides of every case: the official verdicts from files, ours played here, the differences explained."""

import asyncio
import json
import multiprocessing
import os
import subprocess
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from kate_eval.bfcl.categories import Mode

from . import suite
from .cases import Case
from .departures import explain
from .ours import Outcome, outcome

ROOT = Path(__file__).parents[2]
DRIVER = Path(__file__).with_name("official_driver.py")
JOBS = 2
SHOWN_MISMATCHES = 20


class OfficialMissingError(Exception):
    """The environment with the unmodified bfcl-eval has not been made."""


def official_python() -> Path:
    """The interpreter that has the unmodified bfcl-eval.

    Raises:
        OfficialMissingError: there is none.
    """
    path = Path(os.environ.get("KATE_OFFICIAL_PYTHON", ROOT / ".venv-official" / "bin" / "python"))
    if not path.is_file():
        raise OfficialMissingError(
            f"{path} is missing; parity needs the unmodified bfcl-eval. Run: make official"
        )
    return path


@dataclass
class Report:
    """What a comparison found.

    Attributes:
        compared: cases by kind.
        correct: cases by kind that our side finds correct.
        departed: cases by departure.
        disputed: those of them that one side finds correct and the other wrong.
        leaky: the kinds whose official process changed data shared by all samples, and which.
        mismatches: differences that no departure explains.
    """

    compared: Counter[str] = field(default_factory=Counter)
    correct: Counter[str] = field(default_factory=Counter)
    departed: Counter[str] = field(default_factory=Counter)
    disputed: Counter[str] = field(default_factory=Counter)
    leaky: set[str] = field(default_factory=set)
    mismatches: list[str] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        """Merge another report into this one."""
        self.compared += other.compared
        self.correct += other.correct
        self.departed += other.departed
        self.disputed += other.disputed
        self.leaky |= other.leaky
        self.mismatches += other.mismatches

    def __str__(self) -> str:
        lines = [f"{'kind':32}{'cases':>8}{'correct':>9}"]
        lines += [f"{kind:32}{n:8}{self.correct[kind]:9}" for kind, n in self.compared.items()]
        lines.append(f"{'all':32}{self.compared.total():8}{self.correct.total():9}")
        lines += [
            f"departure: {name}: {n} cases, {self.disputed[name]} verdicts"
            for name, n in self.departed.most_common()
        ]
        lines += [f"officially shared data changed by {name}" for name in sorted(self.leaky)]
        return "\n".join([*lines, f"mismatches: {len(self.mismatches)}", *self.mismatches[:SHOWN_MISMATCHES]])


def write_cases(cases: Sequence[Case], folder: Path) -> None:
    """Write a group of cases for the official process."""
    file = folder / "cases" / _file_name(cases)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(case.to_json()) + "\n" for case in cases)


def _file_name(cases: Sequence[Case]) -> str:
    return f"{cases[0].group.replace(':', '-')}.jsonl"


def play_officially(folder: Path) -> None:
    """Play and score all cases written to a folder, in the official process."""
    command = [official_python(), DRIVER, folder / "cases", folder / "verdicts", folder / "scratch"]
    subprocess.run([*command, "--jobs", str(JOBS)], check=True, stdout=subprocess.DEVNULL)


def differences(ours: Outcome, official: Outcome) -> set[str]:
    """In what the two sides differ."""
    found = {
        "verdict": ours.correct != official.correct,
        "error type": ours.verdict != official.verdict and not (ours.correct or official.correct),
        "shape": ours.shape != official.shape,
        "shown": ours.shown != official.shown,
        "offered": ours.offered != official.offered,
        "failed": bool(official.failed),
    }
    return {name for name, differs in found.items() if differs}


def compare_group(cases: Sequence[Case], folder: Path) -> Report:
    """Play a group of cases on our side and compare each with its official verdict."""
    return asyncio.run(_compare_group(cases, folder / "verdicts" / _file_name(cases)))


async def _compare_group(cases: Sequence[Case], verdicts: Path) -> Report:
    official = _read_verdicts(verdicts)
    report = Report()
    for case in cases:
        ours, theirs = await outcome(case), official.pop(case.key)
        report.compared[case.kind] += 1
        report.correct[case.kind] += ours.correct
        differing = differences(ours, theirs)
        departures = explain(case, ours, theirs, differing)
        if departures is None:
            report.mismatches.append(_describe(case, ours, theirs, differing))
        for departure in departures or ():
            report.departed[departure.name] += 1
            report.disputed[departure.name] += "verdict" in differing
        report.leaky.update(f"{case.kind}: {name}" for name in theirs.leaked)
    assert not official, "the official side played cases that we did not"
    return report


def _read_verdicts(file: Path) -> dict[str, Outcome]:
    verdicts = {}
    with file.open(encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            key = line.pop("key")
            leaked = tuple(line.pop("leaked"))
            verdicts[key] = Outcome(**{name: line[name] for name in line if name != "id"}, leaked=leaked)
    return verdicts


def _describe(case: Case, ours: Outcome, official: Outcome, differing: set[str]) -> str:
    texts = [pair for pair in zip(ours.shown, official.shown, strict=False) if pair[0] != pair[1]]
    return (
        f"{case.key} differs in {sorted(differing)}: ours {ours.verdict!r} {ours.shape}, official "
        f"{official.verdict!r} {official.shape} {official.failed}; first differing texts: {texts[:1]}"
    )


def compare_slice(groups: Sequence[Sequence[Case]], folder: Path) -> Report:
    """Play groups of cases on both sides and compare them."""
    for cases in groups:
        write_cases(cases, folder)
    play_officially(folder)
    report = Report()
    for cases in groups:
        report.add(compare_group(cases, folder))
    return report


def compare_everything(folder: Path) -> Report:
    """Play every case of the suite on both sides and compare them, on several cores."""
    report = Report()
    with ProcessPoolExecutor(JOBS, mp_context=multiprocessing.get_context("fork")) as pool:
        groups = [(*group, folder) for group in suite.groups()]
        list(pool.map(_write_group, *zip(*groups, strict=True)))
        play_officially(folder)
        for part in pool.map(_compare_suite_group, *zip(*groups, strict=True)):
            report.add(part)
    return report


def _write_group(kind: str, mode: Mode, folder: Path) -> None:
    write_cases(suite.group_cases(kind, mode), folder)


def _compare_suite_group(kind: str, mode: Mode, folder: Path) -> Report:
    return compare_group(suite.group_cases(kind, mode), folder)
