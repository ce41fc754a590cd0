"""A multi-turn sample played again with some of the model's mistakes undone: would the turn have passed?"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kate_eval.bfcl.checker import Verdict, check_turn
from kate_eval.bfcl.data import Entry
from kate_eval.bfcl.environment import Environment
from kate_eval.episode import Call
from kate_eval.failures.alignment import Slot

SECONDS = 10.0
"""For all replays of a sample; a single call has a bound of its own."""


@dataclass(frozen=True)
class Place:
    """Where a slot is: its turn, and its position in it."""

    turn: int
    at: int


Changes = Mapping[Place, Sequence[Call]]
"""What is played at some places, instead of the model's own calls."""


class Replay:
    """One sample, to be played again up to a turn, which is checked."""

    def __init__(self, entry: Entry, gold: Sequence[Sequence[Call]], turns: Sequence[Sequence[Slot]]) -> None:
        """Take up a sample.

        Args:
            entry: the benchmark entry.
            gold: turn -> gold calls.
            turns: turn -> slots, up to the turn that is checked.
        """
        self._entry = entry
        self._turns = turns
        self._ends = time.monotonic() + SECONDS
        self._gold = Environment(entry)
        self._gold_results: list[str] = []
        for calls in gold[: len(turns)]:
            self._gold_results = [self._run(self._gold, call) for call in calls]

    def verdict(self, changes: Changes) -> Verdict:
        """The checkers' verdict on the last turn after these changes.

        Raises:
            TimeoutError: the replays of this sample have taken too long already.
        """
        model = Environment(self._entry)
        so_far: list[str] = []
        calls: list[Call] = []
        for turn, slots in enumerate(self._turns):
            calls = []
            for at, slot in enumerate(slots):
                own = (slot.made.call,) if slot.made else ()
                calls += changes.get(Place(turn, at), own)
            so_far += [self._run(model, call) for call in calls]
        last = len(self._turns) - 1
        return check_turn(last, model, self._gold, calls, so_far, self._gold_results)

    def _run(self, environment: Environment, call: Call) -> str:
        if time.monotonic() > self._ends:
            raise TimeoutError(f"its replays took longer than {SECONDS:g} seconds")
        return environment.execute(call)
