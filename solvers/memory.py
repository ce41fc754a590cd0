"""The memory of an online run: a bank that grows, with a tally of what its items did.

It is a bank's folder (knowledge/folder.py) with three more files:

order.jsonl   the samples in the order in which they were learned from, and which items each was shown
run.json      the model and parameters that it belongs to
tally.json    what follows of it, for people: item -> samples it was shown in, and those that succeeded
"""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from kate_eval.errors import BankError
from kate_eval.knowledge.bank import Bank, make_bank
from kate_eval.knowledge.card import Card
from kate_eval.knowledge.change import append
from kate_eval.knowledge.files import first_error
from kate_eval.knowledge.folder import ORDER, is_bank, load_bank, require_place
from kate_eval.knowledge.item import Experience
from kate_eval.solvers.inject import Shelf
from kate_eval.solvers.preflight import require_benchmark

TALLY, RUN = "tally.json", "run.json"
MIN_SHOWN = 5
"""Samples that an item must have been shown in before it is judged."""
MARGIN = 1.28
"""Standard errors by which its samples' success must lie below the run's: one-sided 90%."""


class Tally(BaseModel):
    """What an item did."""

    model_config = ConfigDict(extra="forbid")

    shown: int = 0
    """Samples that it was shown in."""
    succeeded: int = 0
    """Of these, those that succeeded."""
    pruned: bool = False
    """Whether it is no longer shown. It stays in the bank, and comes back if the run gets worse."""


class Learned(BaseModel):
    """A sample that was learned from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    position: int
    """Place in the order, from 1."""
    sample: str
    epoch: int
    success: bool
    feedback: str
    """Who said so: score or judge."""
    shown: tuple[str, ...] = ()
    """Ids of the items that it was shown."""
    added: tuple[str, ...] = ()
    """Ids of the items that it gave."""


_TALLIES = TypeAdapter(dict[str, Tally])


@dataclass
class Memory:
    """The state of an online run; made by `open_memory`.

    Attributes:
        folder: of the memory.
        prune: whether items that hurt are left out.
        tallies: by item id.
        learned: the order so far.
    """

    folder: Path
    prune: bool
    tallies: dict[str, Tally] = field(default_factory=dict)
    learned: list[Learned] = field(default_factory=list)
    begun: int = 0
    """Samples that were begun, whether or not anything was learned from them."""
    _bank: Bank | None = None
    _shelf: Shelf | None = None
    _fresh: bool = False
    _torn: int | None = None

    def begin(self, sample: str, epoch: int) -> int | None:
        """The place of a sample in the order; None if it was learned from before: it has one already."""
        if self.known(sample, epoch) is not None:
            return None
        self.begun += 1
        return self.begun

    def bind(self, run: dict[str, Any]) -> None:
        """Tie the memory to what learns in it.

        Raises:
            BankError: it belongs to another model, or to other parameters.
        """
        path = self.folder / RUN
        if path.is_file():
            held = json.loads(path.read_bytes())
            other = sorted(name for name in run if held.get(name) != run[name])
            if other:
                raise BankError(
                    f"The memory {self.folder} belongs to a run with other settings ({', '.join(other)}): "
                    "name another folder (-S memory=FOLDER), or begin with it as a bank (-S bank=...)"
                )
            return
        require_own(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(run, indent=1), encoding="utf-8")

    def known(self, sample: str, epoch: int) -> Learned | None:
        """What was learned of a sample before, in a run that is resumed."""
        return next((one for one in self.learned if (one.sample, one.epoch) == (sample, epoch)), None)

    def shelf(self, benchmark: str) -> Shelf | None:
        """What can be searched now; None while nothing is known.

        Raises:
            BankError: the memory is of another benchmark, or damaged.
        """
        if not self._fresh:
            if self._bank is None and is_bank(self.folder):
                self._bank = load_bank(self.folder)
            if self._bank is not None:
                require_benchmark(self._bank.card, str(self.folder), benchmark)
                self._shelf = self._visible(self._bank)
            self._fresh = True
        return self._shelf

    def _visible(self, bank: Bank) -> Shelf | None:
        """The bank without what was pruned."""
        places = [n for n, item in enumerate(bank.items) if not self._hidden(item.id)]
        if not places:
            return None
        vectors = None if bank.vectors is None else bank.vectors[places]
        return Shelf(make_bank([bank.items[n] for n in places], bank.card, vectors), self._shelf)

    def _hidden(self, item: str) -> bool:
        return self.prune and item in self.tallies and self.tallies[item].pruned

    async def learn(self, sample: Learned, items: Sequence[Experience], card: Card) -> Learned:
        """Take in a finished sample: its experience, and what the items it was shown did.

        Args:
            sample: without what it added.
            items: the experience.
            card: that describes them.
        """
        added: tuple[str, ...] = ()
        if items:
            self._bank, new = await append(self.folder, items, card, self._bank)
            added = tuple(item.id for item in self._bank.items[len(self._bank.items) - new :])
        done = sample.model_copy(update={"added": added})
        self.count(done)
        self._write(done)
        self._fresh = False
        return done

    def count(self, done: Learned) -> None:
        """Add a sample to the order and the tallies."""
        self.learned.append(done)
        self.begun = max(self.begun, done.position)
        for name in set(done.shown):
            tally = self.tallies.setdefault(name, Tally())
            tally.shown += 1
            tally.succeeded += done.success
        self._judge_items()

    def _judge_items(self) -> None:
        """Mark the items whose samples succeed clearly less often than the run's do."""
        rate = sum(sample.success for sample in self.learned) / len(self.learned)
        for tally in self.tallies.values():
            if tally.shown >= MIN_SHOWN:
                error = math.sqrt(rate * (1 - rate) / tally.shown)
                tally.pruned = tally.succeeded / tally.shown < rate - MARGIN * error

    def _write(self, done: Learned) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._torn is not None:
            os.truncate(self.folder / ORDER, self._torn)
            self._torn = None
        with (self.folder / ORDER).open("a", encoding="utf-8") as file:
            file.write(done.model_dump_json() + "\n")
        aside = self.folder / f".{TALLY}.partial"
        aside.write_bytes(_TALLIES.dump_json(self.tallies, indent=1))
        aside.replace(self.folder / TALLY)


def require_own(folder: Path) -> None:
    """Check that a folder is a memory, or can become one.

    Raises:
        BankError: it holds something else.
    """
    if is_bank(folder) and not (folder / RUN).is_file():
        raise BankError(
            f"{folder} is a bank that no online run made, and is not written into: begin with it "
            "(-S bank=...), and name a new folder (-S memory=FOLDER)"
        )
    require_place(folder)


def open_memory(folder: Path, prune: bool) -> Memory:
    """The memory in a folder, as an earlier run left it, or an empty one.

    A line cut off by a crash is dropped: its sample is played and learned from again.

    Raises:
        BankError: the order is damaged.
    """
    memory = Memory(folder, prune)
    path = folder / ORDER
    if not path.is_file():
        return memory
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        memory._torn = len(whole)
    for number, line in enumerate(whole.split(b"\n")[:-1], start=1):
        try:
            memory.count(Learned.model_validate_json(line))
        except ValidationError as ex:
            raise BankError(
                f"{path}, line {number}: {first_error(ex)}. Mend it, or name another folder: -S memory=FOLDER"
            ) from ex
    return memory
