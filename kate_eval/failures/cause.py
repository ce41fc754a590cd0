"""What a sample failed by: one cause of a fixed list, and the three groups that the kinds fall into.

docs/failures.md has the rules by which find.py tells them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from kate_eval.episode import Call, plain

Group = Literal["infrastructure", "parse", "capability"]

MAX_DETAIL = 300
"""Characters of a cause's detail: a model's words are in it."""
MAX_SHOWN = 120
"""Characters of one call, or of an answer, in a detail."""
MAX_SAME = 20
"""Characters before the first difference of two long values."""

KINDS: dict[str, str] = {
    "environment_error": "The sample could not be scored: an endpoint, an engine or a solver failed.",
    "unreadable": "The sample failed, but the log does not hold what was played in a shape that is known.",
    "parse": "What set out to be calls (or code) could not be read, and that ended it.",
    "step_limit": "A limit ended it: steps of a turn, interactions, tokens, messages or time.",
    "ignored_missing": "It acted although a parameter or a function was still missing.",
    "wrong_turn": "The right call, but in another turn than the one that asks for it.",
    "wrong_tool": "Another function in place of the right one, or one that does not exist.",
    "wrong_argument": "The right function with a wrong, missing or surplus argument.",
    "wrong_order": "The right calls in an order that changed their effect.",
    "missing_call": "A call was left out, though later ones were made.",
    "extra_call": "A call too many that had an effect.",
    "stopped_early": "The turn was ended with calls still to make.",
    "no_call": "No function was called where one applies.",
    "irrelevant_call": "A function was called where none applies.",
    "wrong_answer": "AppWorld: the submitted answer is wrong.",
    "missing_change": "AppWorld: something that had to be changed was not, or not rightly.",
    "collateral_damage": "AppWorld: something was changed that had to stay.",
    "unexplained": "It failed, and no rule says by what.",
}
"""Kind of failure -> what it means, in the order in which tables show them."""

_GROUPS: dict[str, Group] = {
    "environment_error": "infrastructure",
    "unreadable": "infrastructure",
    "parse": "parse",
}


@dataclass(frozen=True)
class Cause:
    """Why a sample failed.

    Attributes:
        kind: one of KINDS.
        turn: the user turn it happened in, from 0; None where that says nothing.
        step: the answer within the turn, from 0 (one past the last where something is missing at the end);
            None where it is not known.
        detail: in words, with what was expected and what was done.
    """

    kind: str
    turn: int | None
    step: int | None
    detail: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", shortened(self.detail, MAX_DETAIL))


def group_of(kind: str) -> Group:
    """The group of a kind of failure.

    Raises:
        KeyError: there is no such kind.
    """
    if kind not in KINDS:
        raise KeyError(kind)
    return _GROUPS.get(kind, "capability")


def shortened(text: str, most: int) -> str:
    """A text in one line of at most so many characters."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most else line[: most - 3] + "..."


def shown(call: Call) -> str:
    """A call as a detail shows it."""
    return shortened(Call(call.name, plain(call.arguments)).text, MAX_SHOWN)


def listed(names: Iterable[str]) -> str:
    """Names as a detail shows them."""
    return shortened(", ".join(shortened(name, 40) for name in names), MAX_SHOWN)


def compared(gold: Call, made: Call, names: Sequence[str]) -> str:
    """A call's wrong arguments, each beside the right one: "days of book_room: 3 instead of 2"."""
    first, others = names[0], f" (also {listed(names[1:])})" if names[1:] else ""
    name = f"{shortened(first, 40)} of {shortened(made.name, 60)}"
    values = apart(_value(made, first), _value(gold, first), MAX_SHOWN)
    return f"{name}: {values[0]} instead of {values[1]}{others}"


def apart(first: str, second: str, most: int) -> tuple[str, str]:
    """Two texts of at most so many characters each, in which their first difference can be seen."""
    pairs = enumerate(zip(first, second, strict=False))
    same = next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))
    if max(len(first), len(second)) > most and same > MAX_SAME:
        first, second = (f"...{text[same - MAX_SAME :]}" for text in (first, second))
    return shortened(first, most), shortened(second, most)


def _value(call: Call, name: str) -> str:
    return repr(plain(call.arguments[name])) if name in call.arguments else "nothing"
