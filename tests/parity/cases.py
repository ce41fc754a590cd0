"""A case: what a scripted model answers to one entry, as calls (a plan) and as raw responses (a script).

A *plan* is turns of steps of calls. Damage is done to plans (what is called) or to scripts (how it is
written); both sides of the comparison then play the same script.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from kate_eval.bfcl.categories import Mode, language_of
from kate_eval.bfcl.data import Entry
from kate_eval.bfcl.gold import multi_turn_gold, single_turn_gold
from kate_eval.episode import Call

Plan = list[list[list[Call]]]

DONE = "Done."
"""What the model answers to end a turn, and for ever once its script has run out."""


@dataclass(frozen=True)
class Response:
    """One answer of the model: text, or tool calls as (name, raw argument text), or both."""

    text: str | None = None
    calls: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True)
class Case:
    """One entry, one damage, one mode.

    Attributes:
        kind: name of the damage.
        group: cases of one group are played by one official process, no entry twice.
        script: the model's answers, in order; afterwards it answers DONE.
        keep_turns: of a multi-turn result, score only this many turns (None: all).
    """

    kind: str
    mode: Mode
    entry: Entry
    script: tuple[Response, ...]
    keep_turns: int | None = None
    group: str = ""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.mode}:{self.entry.id}"

    def to_json(self) -> dict[str, Any]:
        """The case as the official process reads it."""
        script = [{"text": response.text, "calls": response.calls} for response in self.script]
        return {
            "key": self.key,
            "group": self.group,
            "mode": self.mode,
            "id": self.entry.id,
            "category": self.entry.category,
            "script": script,
            "keep_turns": self.keep_turns,
        }


def gold_plan(entry: Entry, rng: Random) -> Plan:
    """The gold answer, a turn's calls in one step; without gold: one call of an offered function."""
    if entry.multi_turn:
        return [[calls] if calls else [] for calls in multi_turn_gold(entry)]
    if entry.gold:
        return [[single_turn_gold(entry)]]
    return [[[some_call(rng.choice(entry.functions), rng)]]] if entry.functions else [[]]


_SAMPLES: dict[str, tuple[Any, ...]] = {
    "integer": (0, 3, 42),
    "float": (0.5, 2.0, 19.99),
    "boolean": (True, False),
    "array": ([1, 2], ["a"], []),
    "tuple": ([1, 2],),
    "dict": ({"name": "x"}, {"a": 1, "b": "y"}),
}


def some_value(parameter: dict[str, Any], rng: Random) -> Any:
    """A value of the documented type."""
    if "enum" in parameter:
        return rng.choice(parameter["enum"])
    return rng.choice(_SAMPLES.get(parameter.get("type", "string"), ("x", "report.txt", "San Francisco, CA")))


def some_call(doc: dict[str, Any], rng: Random) -> Call:
    """A call with values for all required parameters."""
    properties = doc["parameters"]["properties"]
    required = [name for name in doc["parameters"].get("required", ()) if name in properties]
    return Call(doc["name"], {name: some_value(properties[name], rng) for name in required})


def write(plan: Plan, entry: Entry, mode: Mode) -> list[Response]:
    """The plan as a model writes it; a text ends each turn of a multi-turn entry."""
    script: list[Response] = []
    for turn in plan:
        script += [write_step(calls, entry, mode) for calls in turn]
        if entry.multi_turn or not turn:
            script.append(Response(DONE))
    return script


def write_step(calls: Sequence[Call], entry: Entry, mode: Mode) -> Response:
    """One step's calls in the mode's format."""
    if mode == "fc":
        named = [(offered_name(call.name, entry), json.dumps(call.arguments)) for call in calls]
        return Response(None, tuple(named))
    return Response("[" + ", ".join(written_call(call, entry) for call in calls) + "]")


def offered_name(name: str, entry: Entry) -> str:
    """The name under which function calling offers a function: without dots."""
    known = {doc["name"] for doc in entry.functions}
    return name.replace(".", "_") if name in known else name


def written_call(call: Call, entry: Entry) -> str:
    """A call in the entry's language; Java and JavaScript arguments already are source text."""
    language = language_of(entry.category)
    if language == "python":
        return call.text
    docs = {doc["name"]: doc["parameters"]["properties"] for doc in entry.functions}.get(call.name, {})
    arguments = ", ".join(
        f"{key}={_source(docs.get(key, {}), value)}" for key, value in call.arguments.items()
    )
    return f"{call.name}({arguments})"


def _source(parameter: dict[str, Any], value: Any) -> str:
    if parameter.get("type") in ("String", "string", "char"):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
