"""What a log says was played, in the one shape that the rules can read; anything else is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from kate_eval.bfcl.categories import MODES, Mode

MAX_CALLS = 1000
"""Calls of a sample that are looked at; samples with more are not explained."""
MAX_STEPS = 10_000


class ShapeError(ValueError):
    """A log holds something else than what our tasks leave."""


@dataclass(frozen=True)
class Played:
    """A BFCL outcome.

    Attributes:
        result: in the shape of the official result files.
        mode: the format of its responses.
    """

    result: Any
    mode: Mode


def played(outcome: object, multi_turn: bool) -> Played:
    """Read an outcome.

    Raises:
        ShapeError: it is none of a BFCL entry of this kind.
    """
    if not isinstance(outcome, Mapping) or "result" not in outcome:
        raise ShapeError("the log holds no outcome of the episode")
    mode, result = outcome.get("mode"), outcome["result"]
    if mode not in MODES:
        raise ShapeError(f"the outcome's mode is {str(mode)[:40]!r}, not one of {', '.join(MODES)}")
    if not multi_turn:
        _require_response(result)
        return Played(result, cast(Mode, mode))
    if not isinstance(result, list) or not all(isinstance(turn, list) for turn in result):
        raise ShapeError("the result is not a list of turns, each a list of responses")
    if sum(map(len, result)) > MAX_STEPS:
        raise ShapeError(f"the result has more than {MAX_STEPS} responses")
    for response in (response for turn in result for response in turn):
        _require_response(response)
    return Played(result, cast(Mode, mode))


def _require_response(response: object) -> None:
    """A text, or a list of calls of which each is {name: JSON text}."""
    if isinstance(response, str):
        return
    if not isinstance(response, list) or not all(map(_is_call, response)):
        raise ShapeError("a response is neither text nor a list of calls {name: arguments as JSON text}")


def _is_call(call: object) -> bool:
    if not isinstance(call, Mapping) or len(call) != 1:
        return False
    [(name, arguments)] = call.items()
    return isinstance(name, str) and isinstance(arguments, str)
