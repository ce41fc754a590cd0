"""The deliberate departures from bfcl_eval that cases of the suite meet (docs/departures.md gives reasons).

A departure excuses certain differences of certain cases, and only when its evidence holds.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from .cases import Case
from .ours import HOST, Outcome

STOPPED = "official run stopped: "
ERROR = "Error during execution: "
LEAKED = frozenset({"TwitterAPI.post_tweet"})
"""The shared data that the suite makes official samples change: the default lists of this method."""
EVERYTHING = frozenset({"verdict", "error type", "shape", "shown", "offered"})


@dataclass(frozen=True)
class Departure:
    """One deliberate difference.

    Attributes:
        name: its heading in docs/departures.md.
        covers: the differences that it can explain.
        holds: whether it explains them for a case, given both outcomes.
    """

    name: str
    covers: frozenset[str]
    holds: Callable[[Case, Outcome, Outcome], bool]


def _official_stops(case: Case, ours: Outcome, official: Outcome) -> bool:
    return official.verdict.startswith(STOPPED) and not ours.correct


def _raw_arguments(case: Case) -> list[str]:
    return [text for response in case.script for _, text in response.calls or ()]


def _reads_anyway(text: str) -> bool:
    """Whether Inspect reads arguments that officially are no JSON object."""
    if not text.strip().startswith("{"):
        return True
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return False
    return bool(text[end:].strip()) and not text[end:].replace('"', "").strip()


def _host_reads(case: Case, ours: Outcome, official: Outcome) -> bool:
    return any(_reads_anyway(text) for text in _raw_arguments(case))


def _host_stops(case: Case, ours: Outcome, official: Outcome) -> bool:
    return ours.verdict.startswith(HOST)


NOT_EVALUATED = frozenset(
    {
        *("name_of_a_builtin", "name_hostile", "name_dotted", "name_expression", "not_calls"),
        *("argument_name_invalid", "argument_name_hostile", "positional", "keyword_for_name"),
    }
)
LIKE_A_CALL = frozenset({"string_like_a_call", "nested_call", "nested_for_argument"})


def _differing_texts(ours: Outcome, official: Outcome) -> list[tuple[str, str]]:
    return [pair for pair in zip(ours.shown, official.shown, strict=True) if pair[0] != pair[1]]


def _not_evaluated(case: Case, ours: Outcome, official: Outcome) -> bool:
    if case.kind not in NOT_EVALUATED or len(ours.shown) != len(official.shown):
        return False
    return all(ERROR in mine or mine.startswith("#") for mine, _ in _differing_texts(ours, official))


def _not_rewritten(case: Case, ours: Outcome, official: Outcome) -> bool:
    return case.kind in LIKE_A_CALL and len(ours.shown) == len(official.shown)


def _data_leaked(case: Case, ours: Outcome, official: Outcome) -> bool:
    """Tweets posted without tags or mentions share their lists, within and between official samples."""
    return not LEAKED.isdisjoint(official.leaked) and "TwitterAPI" in case.entry.classes


def _call_in_arithmetic(case: Case, ours: Outcome, official: Outcome) -> bool:
    return any("len('abc') + 1" in (response.text or "") for response in case.script)


def _both_wrong(case: Case, ours: Outcome, official: Outcome) -> bool:
    no_call = {"ast_decoder:decoder_failed", "ast_decoder:decoder_wrong_output_format"}
    found = {ours.verdict.rpartition(":")[2], official.verdict.rpartition(":")[2]}
    return {ours.verdict, official.verdict} <= no_call or (
        bool({ours.verdict, official.verdict} & no_call) and "wrong_count" in found
    )


DEPARTURES = (
    Departure("The official run stops", frozenset({"verdict", "error type"}), _official_stops),
    Departure("Inspect reads the arguments of tool calls", EVERYTHING, _host_reads),
    Departure("Inspect cannot read an integer of over 4,300 digits", EVERYTHING, _host_stops),
    Departure("Names are looked up, never evaluated", frozenset({"shown"}), _not_evaluated),
    Departure(
        "Text inside arguments is never rewritten",
        frozenset({"verdict", "error type", "shown"}),
        _not_rewritten,
    ),
    Departure("Samples share no data", frozenset({"verdict", "error type", "shown"}), _data_leaked),
    Departure("Arithmetic in arguments holds literals only", EVERYTHING, _call_in_arithmetic),
    Departure("Answers without calls have one error type", frozenset({"error type"}), _both_wrong),
)


def explain(case: Case, ours: Outcome, official: Outcome, differences: set[str]) -> list[Departure] | None:
    """The departures that explain all differences; None when some remain unexplained."""
    used, left = [], set(differences)
    for departure in DEPARTURES:
        if left & departure.covers and departure.holds(case, ours, official):
            used.append(departure)
            left -= departure.covers
    return None if left else used
