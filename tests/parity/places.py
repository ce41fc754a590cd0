"""Reading and changing plans: where the calls are, and what is documented about them."""

from typing import Any

from kate_eval.bfcl.data import Entry, class_docs
from kate_eval.episode import Call

from .cases import Plan

Place = tuple[int, int, int]
READ_ONLY = (
    "pwd",
    "ls",
    "get_",
    "list_",
    "view_",
    "check_",
    "find_",
    "displayCarStatus",
    "ticket_get",
    "mean",
)


def places(plan: Plan) -> list[Place]:
    """Where the calls are: (turn, step, index)."""
    return [
        (turn, step, index)
        for turn, steps in enumerate(plan)
        for step, calls in enumerate(steps)
        for index in range(len(calls))
    ]


def at(plan: Plan, place: Place) -> Call:
    """The call at a place."""
    return plan[place[0]][place[1]][place[2]]


def put(plan: Plan, place: Place, *calls: Call) -> Plan:
    """Replace the call at a place by none, one or several."""
    plan[place[0]][place[1]][place[2] : place[2] + 1] = calls
    return plan


def docs_of(entry: Entry) -> dict[str, dict[str, Any]]:
    """All function docs of an entry by name, held-out ones included."""
    if entry.multi_turn:
        return {doc["name"]: doc for name in entry.classes for doc in class_docs(name)}
    return {doc["name"]: doc for doc in entry.functions}


def parameters(entry: Entry, call: Call) -> dict[str, Any]:
    """The documented parameters of a call's function."""
    found: dict[str, Any] = docs_of(entry).get(call.name, {"parameters": {"properties": {}}})["parameters"]
    return found


def read_only(entry: Entry) -> list[dict[str, Any]]:
    """Docs of functions that by their names change nothing."""
    return [doc for name, doc in docs_of(entry).items() if name.startswith(READ_ONLY)]
