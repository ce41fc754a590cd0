"""What a report knows of a run: how it was measured, and what became of each of its samples."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath
from statistics import fmean
from typing import Any

from inspect_ai.model import ModelUsage

from kate_eval.appworld.places import BENCHMARKS as BANK_NAMES
from kate_eval.logs import GRID_KEY, SIMULATED
from kate_eval.report.benchmarks import BENCHMARKS, Benchmark
from kate_eval.report.settings import settings_of
from kate_eval.stats import Observed

_CALLED = ("name", "cell", "place")
"""Of a grid's mark: what a run is called and where it stands, which says nothing of what it measured."""
LEAKED_FACT = "leaked"
"""Fact about a grid's model: the benchmarks of whose test entries it was trained on, comma-separated."""
FLOOR = "nearest"
"""The solver that asks no model."""
GROWS = "online"
"""The solver whose bank is another one after each sample."""
SHORT = 8
"""Digits of a bank's hash that a row shows."""


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One sample and epoch of a run.

    Attributes:
        entry: id of the entry; epochs of one entry share it.
        id: the same, as the log has it.
        epoch: from 1.
        file: the log that it is in.
        verdict: a digest of what the scorer said.
        observed: its value (0 or 1), category and cluster; None where it could not be scored.
        broken_gold: whether no honest answer can pass.
        counters: the values of run_counters.
        provenance: what the solving depended on: prompts' hash, bank's hash.
        details: what the benchmark's scorer adds: kind of failure, interactions, containment.
        tokens: input and output tokens of all models.
        error: why it failed, if it failed.
        nearest: similarity of the bank's item that is nearest to any of its turns; None without a bank.
        position: place in the order in which an online run learned, from 1; None in other runs.
        usage: model -> what it used.
        roles: role -> tokens, as solvers count them; empty in logs that don't tell.
        step_ms: milliseconds of each step; empty in logs that don't tell.
        model_ms: milliseconds of all requests.
    """

    entry: str
    id: int | str
    epoch: int
    file: str
    verdict: str
    observed: Observed | None
    broken_gold: bool
    counters: dict[str, float]
    provenance: dict[str, Any]
    details: dict[str, Any]
    tokens: int
    error: str | None
    nearest: float | None = None
    position: int | None = None
    usage: dict[str, ModelUsage] = field(default_factory=dict)
    roles: dict[str, int] = field(default_factory=dict)
    step_ms: tuple[int, ...] = ()
    model_ms: int | None = None


@dataclass(frozen=True)
class Source:
    """A log of a run.

    Attributes:
        file: its path.
        folder: the folder that was asked for, as it was given.
        path: below that folder.
        changed: when the file was last written, milliseconds; with its size it tells whether it is the same.
        size: of the file, bytes.
        created: when the run began, ISO 8601.
    """

    file: str
    folder: str
    path: str
    changed: float
    size: int
    created: str = ""

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Run:
    """A run: one log, or the logs of its parts."""

    sources: tuple[Source, ...]
    status: str
    model: str
    critic: str
    solver: str
    parameters: dict[str, Any]
    generation: dict[str, Any]
    """Generation settings, model arguments and base URL, as far as they were set."""
    selection: str
    """Which samples were asked for, and how many epochs."""
    metadata: dict[str, Any]
    task_version: str
    epochs: int
    expected: int
    """Samples x epochs that the run was to play."""
    samples: tuple[SampleRow, ...] = ()
    usage: dict[str, ModelUsage] = field(default_factory=dict)
    """Model -> what all attempts of all samples used, as the log's header has it."""
    packages: dict[str, str] = field(default_factory=dict)
    """Package -> version that it ran with."""
    name: str = ""
    """The label of its cell in a grid; "" for a run of no grid. Another grid may give it to another cell:
    what a run measured is told by model, solver and settings alone."""
    held: str = ""
    """Hash of what the bank held that its parameters name, several if it changed; "" where none is told."""
    replaced: tuple[str, ...] = ()
    """Names of the logs of the same cell that this run stands for as well."""

    @property
    def created(self) -> str:
        """When its first log was made."""
        return self.sources[0].created

    @property
    def benchmark(self) -> Benchmark:
        """The benchmark it is of."""
        return BENCHMARKS[self.metadata["benchmark"]]

    @property
    def board(self) -> str:
        """Title of the table that it stands in."""
        return self.benchmark.title(self.metadata)

    @property
    def depends(self) -> dict[str, Any]:
        """What its grid says that it depends on; metadata may hold anything under that name."""
        told = self._mark.get("depends")
        return told if isinstance(told, dict) else {}

    @property
    def grid(self) -> str:
        """The name of the grid that made it; "" for none."""
        return str(self._mark.get("name", ""))

    @property
    def place(self) -> tuple[int, int] | None:
        """The places of its cell and its model in that grid, from 0; None where its log doesn't tell."""
        told = self._mark.get("place")
        if not isinstance(told, list) or len(told) != 2 or not all(type(item) is int for item in told):
            return None
        return told[0], told[1]

    @property
    def _mark(self) -> dict[str, Any]:
        mark = self.metadata.get(GRID_KEY)
        return mark if isinstance(mark, dict) else {}

    @property
    def trained_on_test(self) -> bool:
        """Whether its model was trained on test entries of its benchmark, as far as a grid's log tells."""
        told = str(self.depends.get(f"model: {LEAKED_FACT}", "")).split(",")
        name = str(self.metadata["benchmark"])
        return BANK_NAMES.get(str(self.metadata.get("world")), name) in told

    @property
    def missing(self) -> int:
        """Samples that it was to play and that are not in its log."""
        return max(0, self.expected - len(self.samples))

    @property
    def errors(self) -> int:
        """Samples that were not scored; of a run that has ended, those that are missing too."""
        unscored = sum(sample.observed is None for sample in self.samples)
        return unscored if self.status == "started" else unscored + self.missing

    @property
    def simulated(self) -> bool:
        """Whether any number in this run comes from the simulated endpoint."""
        return any(name.startswith(SIMULATED) for name in (self.model, self.critic))

    @property
    def cell(self) -> tuple[str, ...]:
        """What the run measured; a newer run of the same cell replaces an older one."""
        return (*self.how, self.selection)

    @property
    def how(self) -> tuple[str, ...]:
        """How it was measured, whatever the samples."""
        mark = self.metadata.get(GRID_KEY)
        metadata = dict(self.metadata)
        if isinstance(mark, dict):  # two grids that have the same cell measure the same
            metadata[GRID_KEY] = {name: value for name, value in mark.items() if name not in _CALLED}
        return (*self.played, *map(repr, (metadata, self.task_version)))

    @property
    def played(self) -> tuple[str, ...]:
        """Who played, and how: a bank counts by what it held, wherever it was."""
        bank = {"bank": ["held", self.held]} if self.held else {}  # no text: no path can be the same
        told = (self.parameters | bank, self.generation)
        return (self.model, self.critic, self.solver, *map(repr, told))

    @cached_property
    def id(self) -> str:
        """A name that the cell has in every report: "r" and eight hex digits."""
        return "r" + hashlib.sha256("\0".join(self.cell).encode()).hexdigest()[:8]

    @cached_property
    def settings(self) -> dict[str, str]:
        """What differs from the solver's defaults and the task's."""
        own = {
            "mode": (self.metadata.get("mode"), self.benchmark.mode),
            "split": (self.metadata.get("split"), self.benchmark.split or self.metadata.get("split")),
            "epochs": (self.epochs, 1),
        }
        return settings_of(self.solver, self.parameters | self._bank, own, self.generation)

    @property
    def bank(self) -> str:
        """The path of the bank that its parameters name; "" for none, the default bank, or one not used."""
        if self.parameters.get("knowledge") in ("", "none"):
            return ""
        return str(self.parameters.get("bank") or "")

    @property
    def _bank(self) -> dict[str, str]:
        """The bank as a row shows it: its folder's name and the beginning of its hash."""
        if not self.held:
            return {}
        hashes = "+".join(part[:SHORT] for part in self.held.split("+"))
        return {"bank": f"{PurePath(self.bank).name}@{hashes}"}

    @cached_property
    def label(self) -> str:
        """Model, critic, solver and settings in a line."""
        return f"{self.players} {self.way}"

    @cached_property
    def title(self) -> str:
        """As a reader names it: model, critic and the cell's label, or without one solver and settings."""
        return f"{self.players} {self.name or self.way}"

    @property
    def players(self) -> str:
        """Model and critic."""
        return self.model + (f" + critic {self.critic}" if self.critic else "")

    @property
    def way(self) -> str:
        """Solver and settings."""
        told = ", ".join(f"{name}={value}" for name, value in self.settings.items())
        return self.solver + (f" ({told})" if told else "")

    @cached_property
    def by_entry(self) -> Mapping[str, Observed]:
        """Entry -> its mean value over the epochs that were scored."""
        return by_entry(self.samples)

    @cached_property
    def banks(self) -> Mapping[str, set[str]]:
        """Name of a bank -> hashes of what it held."""
        found: dict[str, set[str]] = {}
        for sample in self.samples:
            if "bank_hash" in sample.provenance:
                name = str(sample.provenance.get("bank"))
                found.setdefault(name, set()).add(sample.provenance["bank_hash"])
        return found


def by_entry(samples: Iterable[SampleRow]) -> dict[str, Observed]:
    """Entry -> its mean value over the epochs that were scored."""
    found: dict[str, list[Observed]] = defaultdict(list)
    for sample in samples:
        if sample.observed is not None:
            found[sample.entry].append(sample.observed)
    return {
        entry: Observed(fmean(o.value for o in epochs), epochs[0].group, epochs[0].cluster)
        for entry, epochs in found.items()
    }
