"""Why a multi-turn BFCL sample failed: the first turn that the checkers reject, and what in it counts.

Each difference between the model's calls and the gold's is an edit; those that matter are found by really
playing the sample again: an edit matters if the turn fails with all others undone and this one left.
"""

from collections.abc import Sequence
from functools import cached_property

from kate_eval.bfcl import engine
from kate_eval.bfcl.checker import decode_step, first_fault
from kate_eval.bfcl.data import Entry
from kate_eval.bfcl.gold import multi_turn_gold
from kate_eval.episode import Call
from kate_eval.failures.alignment import Made, Slot, align, differing, mixed
from kate_eval.failures.cause import MAX_SHOWN, Cause, listed, shown
from kate_eval.failures.edits import Edit, edits_of, undone
from kate_eval.failures.replay import Replay, TooLongError
from kate_eval.failures.shape import MAX_CALLS, Played
from kate_eval.failures.written import undecodable

_MISSING = ("multi_turn_miss_func", "multi_turn_miss_param")
"""Categories in which a turn without gold calls is one that lacks something."""


def multi_turn_cause(entry: Entry, played: Played, limit: str) -> Cause:
    """The cause of a failed multi-turn sample.

    Args:
        entry: the benchmark entry.
        played: its outcome.
        limit: the limit of the run that ended the sample; "" for none.
    """
    fault = first_fault(entry, played.result, played.mode)
    last = len(played.result) - 1
    if fault is None and len(played.result) == len(entry.gold):
        return Cause("unreadable", None, None, "the log says it failed; the checkers accept what it holds")
    if (fault is None or fault[0] == last) and _unfinished(played):
        return _step_limit(played, limit)
    if fault is None:
        return Cause("step_limit", last, None, limit or f"{last + 1} of {len(entry.gold)} turns were played")
    found = _Rules(entry, played, fault[0])
    if found.calls > MAX_CALLS:
        return Cause("unexplained", fault[0], None, f"{found.calls} calls were made; {fault[1].message}")
    try:
        return found.cause() or Cause("unexplained", fault[0], None, fault[1].message)
    except TooLongError as ex:
        return Cause("unexplained", fault[0], None, f"{ex}; {fault[1].message}")


def _unfinished(played: Played) -> bool:
    """Whether the last turn was broken off: a turn ends on an answer without calls."""
    return not played.result or not played.result[-1] or bool(decode_step(played.result[-1][-1], played.mode))


def _step_limit(played: Played, limit: str) -> Cause:
    turn = max(0, len(played.result) - 1)
    steps = len(played.result[-1]) if played.result else 0
    if steps > engine.official().max_steps:
        return Cause("step_limit", turn, steps - 1, f"the turn was broken off after {steps} steps")
    return Cause(
        "step_limit", turn, steps or None, f"the turn was broken off by {limit or 'a limit of the run'}"
    )


class _Rules:
    """The rules on one sample, whose first rejected turn is known."""

    def __init__(self, entry: Entry, played: Played, index: int) -> None:
        self._entry = entry
        self._played = played
        self._index = index
        self._gold = multi_turn_gold(entry)
        made = [
            [Made(call, step) for step, said in enumerate(turn) for call in decode_step(said, played.mode)]
            for turn in played.result
        ]
        self.calls = sum(map(len, made))
        self._made = made

    @cached_property
    def _turns(self) -> list[list[Slot]]:
        return [align(gold, made) for gold, made in zip(self._gold, self._made, strict=False)]

    @cached_property
    def _replay(self) -> Replay:
        return Replay(self._entry, self._gold, self._turns[: self._index + 1])

    def _edits(self, turn: int) -> list[Edit]:
        return edits_of(turn, self._turns[turn])

    def cause(self) -> Cause | None:
        """The cause; None if no rule says it."""
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
                detail = f"{what} belongs to turn {turn}"
                return Cause("wrong_turn", edit.turn, made.step, detail)
        return Cause("extra_call", edit.turn, made.step, f"{what} is asked for nowhere and had an effect")

    def _lacks(self, turn: int) -> bool:
        """Whether a parameter or a function is missing in the turn."""
        return self._entry.category in _MISSING and not self._gold[turn]

    def _missing(self, edit: Edit, gold: Call) -> Cause:
        slots, place = self._turns[edit.turn], edit.places[0]
        later = [slot.made.step for slot in slots[place.at :] if slot.made]
        steps = self._played.result[edit.turn]
        step = later[0] if later else max(0, len(steps) - 1)
        what = shown(gold)
        elsewhere = self._elsewhere(edit.turn, gold)
        if elsewhere is not None:
            turn, made = elsewhere
            kind = "ignored_missing" if self._lacks(turn) else "wrong_turn"
            return Cause(
                kind, turn, made.step, f"{what} was made in turn {turn}; it belongs to turn {edit.turn}"
            )
        if steps and undecodable(steps[-1], self._played.mode):
            return Cause("parse", edit.turn, len(steps) - 1, f"undecodable: {str(steps[-1])[:MAX_SHOWN]}")
        if any(slot.gold and slot.made for slot in slots[place.at :]):
            return Cause("missing_call", edit.turn, step, f"{what} was left out")
        done = "" if any(slot.made for slot in slots) else "without any call, "
        return Cause("stopped_early", edit.turn, step, f"the turn was ended {done}before {what}")

    def _elsewhere(self, turn: int, gold: Call) -> tuple[int, Made] | None:
        """Another turn in which the model made the call, where it belongs to no gold call."""
        if not gold.arguments:  # a look around, such as ls(), is made in any turn
            return None
        for other, slots in enumerate(self._turns):
            for slot in slots:
                if other != turn and slot.gold is None and slot.made and slot.made.call.key == gold.key:
                    return other, slot.made
        return None

    def _other(self, edit: Edit, gold: Call, made: Made, rest: Sequence[Edit]) -> Cause:
        """A call in place of another: the wrong tool, or harmless while the right one is missing."""
        changes = undone(rest)
        place = edit.places[0]
        harmful = not self._replay.verdict({**changes, place: (made.call, gold)}).correct
        reads = (
            self._replay.verdict({**changes, place: ()}).error_type
            == "multi_turn:execution_response_mismatch"
        )
        if harmful or reads or made.call.name not in self._offered(edit.turn):
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
            and not self._replay.verdict({**changes, edit.places[0]: (mixed(gold, made.call, name),)}).correct
        ]
        detail = f"{listed(bad or names)}: {shown(made.call)}, expected {shown(gold)}"
        return Cause("wrong_argument", edit.turn, made.step, detail)
