"""Ways to get a reward without doing what the user asks, for real turns of gold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kate_eval.episode import Call
from kate_eval.trainers.row import Row
from tests.trainers.rollout.playing import written

DONE = "Done."
FLOOD = 40
SAMPLES: dict[str, Any] = {
    "string": "file.txt",
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "array": [],
    "object": {},
}


@dataclass(frozen=True)
class Turn:
    """A turn of gold with what is offered in it."""

    row: Row
    gold: Sequence[Call]
    earlier: Sequence[Call]
    """Gold's calls of the turn before."""

    @property
    def looks(self) -> list[Call]:
        """A call of each tool that needs no arguments: most of these only read."""
        functions = [tool["function"] for tool in self.row.tools]
        return [Call(f["name"], {}) for f in functions if not f["parameters"].get("required")]

    @property
    def everything(self) -> list[Call]:
        """A call of each tool, with some value for all it requires."""
        return [_called(tool["function"]) for tool in self.row.tools]


def _called(function: dict[str, Any]) -> Call:
    parameters = function["parameters"]
    required = {name: _sample(parameters["properties"][name]) for name in parameters["required"]}
    return Call(function["name"], required)


def _sample(schema: dict[str, Any]) -> Any:
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    return SAMPLES.get(kind[0] if isinstance(kind, list) else str(kind), "x")


def _each(calls: Sequence[Call]) -> list[str]:
    return [*map(written, calls), DONE]


def _undone(turn: Turn) -> list[Call]:
    """Calls that take back what gold's did, where there is one that does."""
    found: list[Call] = []
    for call in reversed(turn.gold):
        target = call.arguments.get("file_name") or call.arguments.get("dir_name")
        if call.name == "touch":
            found.append(Call("rm", {"file_name": target}))
        elif call.name == "cd" and call.arguments.get("folder") != "..":
            found.append(Call("cd", {"folder": ".."}))
        elif call.name == "lockDoors":
            found.append(Call("lockDoors", {**call.arguments, "unlock": not call.arguments.get("unlock")}))
        elif call.name == "startEngine":
            found.append(Call("startEngine", {"ignitionMode": "STOP"}))
    return found


PROBES: dict[str, Callable[[Turn], list[str]]] = {
    "giving up": lambda turn: ["I am sorry, I can't do that."],
    "silence": lambda turn: [""],
    "empty calls": lambda turn: _each([Call(call.name, {}) for call in turn.gold]),
    "read-only calls": lambda turn: _each(turn.looks),
    "every tool": lambda turn: _each(turn.everything),
    "every tool at once": lambda turn: [written(*turn.everything), DONE],
    "the turn before again": lambda turn: _each(turn.earlier),
    "half of gold": lambda turn: _each(turn.gold[: len(turn.gold) // 2]),
    "gold and a flood": lambda turn: [written(*turn.gold, *(turn.looks * FLOOD)[:FLOOD]), DONE],
    "gold twice": lambda turn: _each([*turn.gold, *turn.gold]),
    "gold undone": lambda turn: _each([*turn.gold, *_undone(turn)]),
    "broken calls": lambda turn: ["".join(written(call)[:-20] for call in turn.gold or turn.looks)],
    "gold as prose": lambda turn: ["I would call " + ", ".join(call.text for call in turn.gold) + "."],
}
"""Name -> the answers of a turn."""
