"""What in the first rejected turn counts: rules over the differences to the gold, decided by replays.

Each difference between the model's calls and the gold's is an edit (edits.py). It matters if the turn fails
with all other edits undone and this one left, in the entry's own environment; the first that matters is the
cause. docs/failures.md has the rules in the order in which they are tried.
"""

from collections.abc import Sequence

from kate_eval.bfcl.data import Entry
from kate_eval.episode import Call
from kate_eval.failures.alignment import Made, align, differing, mixed
from kate_eval.failures.cause import MAX_SHOWN, Cause, compared, shortened, shown
from kate_eval.failures.edits import Edit, edits_of, undone
from kate_eval.failures.replay import Replay
from kate_eval.failures.shape import Played
from kate_eval.failures.written import undecodable

_MISSING = ("multi_turn_miss_func", "multi_turn_miss_param")
"""Categories in which a turn without gold calls is one that lacks something."""
_RESPONSES = "multi_turn:execution_response_mismatch"
"""The verdict where states are equal and a result is missing."""


class TurnRules:
    """The rules on one sample, whose first rejected turn is known."""

    def __init__(
        self,
        entry: Entry,
        gold: Sequence[Sequence[Call]],
        played: Played,
        made: Sequence[Sequence[Made]],
        index: int,
    ) -> None:
        """Take up a sample.

        Args:
            entry: the benchmark entry.
            gold: turn -> gold calls.
            played: the outcome.
            made: turn -> the model's calls.
            index: the first turn that the checkers reject.

        Raises:
            TimeoutError: the gold calls take too long.
        """
        self._entry = entry
        self._gold = gold
        self._played = played
        self._index = index
        self._turns = [align(*sides) for sides in zip(gold, made, strict=False)]
        self._replay = Replay(entry, gold, self._turns[: index + 1])

    def _edits(self, turn: int) -> list[Edit]:
        return edits_of(turn, self._turns[turn])

    def cause(self) -> Cause | None:
        """The cause; None if no rule says it.

        Raises:
            TimeoutError: the replays take too long.
        """
        own = self._edits(self._index)
        if self._passes(own):
            return self._named(self._decisive(own), own)
        # Something of before, that no checker saw then, is behind it: a folder changed, a turn without gold.
        every = [edit for turn in range(self._index + 1) for edit in self._edits(turn)]
        return self._named(self._decisive(every), every) if self._passes(every) else None

    def _passes(self, edits: Sequence[Edit]) -> bool:
        """Whether the rejected turn passes with these edits undone."""
        return self._replay.verdict(undone(edits)).correct

    def _decisive(self, edits: Sequence[Edit]) -> Edit:
        """The first edit that matters: with all others undone, the turn fails."""
        extras = [edit for edit in edits if edit.difference == "extra"]
        others = [edit for edit in edits if edit.difference != "extra"]
        suspects = others if len(extras) > 1 and others and self._passes(others) else edits
        if len(suspects) == 1:
            return suspects[0]
        for suspect in suspects:
            if not self._passes([edit for edit in suspects if edit is not suspect]):
                return suspect
        return next((edit for edit in suspects if self._passes([edit])), suspects[0])

    def _named(self, edit: Edit, edits: Sequence[Edit]) -> Cause:
        """The edit as a cause."""
        if edit.gold is None:
            return self._extra(edit)
        if edit.made is None:
            return self._missing(edit, edit.gold)
        if edit.difference == "other":
            return self._other(edit, edit.gold, edit.made, [e for e in edits if e is not edit])
        if edit.difference == "order":
            detail = f"{shown(edit.gold)} was made at another place of the turn"
            return Cause("wrong_order", edit.turn, edit.made.step, detail)
        return self._argument(edit, edit.gold, edit.made, [e for e in edits if e is not edit])

    def _extra(self, edit: Edit) -> Cause:
        made = edit.made
        assert made is not None
        what = shown(made.call)
        if self._lacks(edit.turn):
            detail = f"{what} was called while something was missing"
            return Cause("ignored_missing", edit.turn, made.step, detail)
        for turn, calls in enumerate(self._gold):
            if turn > edit.turn and any(call.key == made.call.key for call in calls):
                detail = f"{what} belongs to turn {turn + 1}"
                return Cause("wrong_turn", edit.turn, made.step, detail)
        return Cause("extra_call", edit.turn, made.step, f"{what} is asked for nowhere and had an effect")

    def _lacks(self, turn: int) -> bool:
        """Whether a parameter or a function is missing in the turn."""
        return self._entry.category in _MISSING and not self._gold[turn]

    def _missing(self, edit: Edit, gold: Call) -> Cause:
        slots, place = self._turns[edit.turn], edit.place
        later = [slot.made.step for slot in slots[place.at :] if slot.made]
        steps = self._played.result[edit.turn]
        step = later[0] if later else max(0, len(steps) - 1)
        what = shown(gold)
        elsewhere = self._elsewhere(edit.turn, gold)
        if elsewhere is not None:
            turn, made = elsewhere
            kind = "ignored_missing" if self._lacks(turn) else "wrong_turn"
            return Cause(
                kind,
                turn,
                made.step,
                f"{what} was made in turn {turn + 1}; it belongs to turn {edit.turn + 1}",
            )
        if steps and undecodable(steps[-1], self._played.mode):
            return Cause("parse", edit.turn, len(steps) - 1, f"undecodable: {str(steps[-1])[:MAX_SHOWN]}")
        if any(slot.gold and slot.made for slot in slots[place.at :]):
            return Cause("missing_call", edit.turn, step, f"{what} was left out")
        done = "" if any(slot.made for slot in slots) else "without any call, "
        said = f"; it said: {shortened(steps[-1], 80)}" if steps and isinstance(steps[-1], str) else ""
        return Cause("stopped_early", edit.turn, step, f"the turn was ended {done}before {what}{said}")

    def _elsewhere(self, turn: int, gold: Call) -> tuple[int, Made] | None:
        """Another turn in which the model made the call, where it belongs to no gold call."""
        for other, slots in enumerate(self._turns):
            # A look around, such as ls(), is made in any turn and belongs to none.
            if other == turn or not (gold.arguments or self._lacks(other)):
                continue
            for slot in slots:
                if slot.gold is None and slot.made and slot.made.call.key == gold.key:
                    return other, slot.made
        return None

    def _other(self, edit: Edit, gold: Call, made: Made, rest: Sequence[Edit]) -> Cause:
        """A call in place of another: the wrong tool, or harmless while the right one is missing."""
        kept = undone(rest)
        harmful = not self._replay.verdict({**kept, edit.place: (gold,)}).correct
        only_reads = self._replay.verdict(kept).error_type == _RESPONSES
        if harmful or only_reads or made.call.name not in self._offered(edit.turn):
            detail = f"{shown(made.call)} in place of {shown(gold)}"
            return Cause("wrong_tool", edit.turn, made.step, detail)
        return self._missing(edit, gold)

    def _offered(self, turn: int) -> set[str]:
        held_out = [doc for at, docs in self._entry.held_out.items() if at <= turn for doc in docs]
        return {doc["name"] for doc in [*self._entry.functions, *held_out]}

    def _argument(self, edit: Edit, gold: Call, made: Made, rest: Sequence[Edit]) -> Cause:
        """The arguments that matter: with all others as in the gold call, the turn fails."""
        changes = undone([*rest, edit])
        names = differing(gold, made.call)
        bad = [
            name
            for name in names
            if len(names) > 1
            and not self._replay.verdict({**changes, edit.place: (mixed(gold, made.call, name),)}).correct
        ]
        return Cause("wrong_argument", edit.turn, made.step, compared(gold, made.call, bad or names))
