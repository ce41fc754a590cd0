"""The published bank of BFCL's user turns: {question: {id, turn, question, answer, summary, ...}}.

Gives the forms "trajectory" (where every call of the answer can be read) and "summary". Calls are parsed,
never evaluated; those with positional arguments get names from the documentation of the involved classes.
"""

import ast
import math
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from kate_eval.bfcl import data, engine
from kate_eval.bfcl.categories import CATEGORIES, in_split
from kate_eval.bfcl.gold import parse_call
from kate_eval.errors import DatasetError
from kate_eval.knowledge.acquire.bfcl import ENGINE
from kate_eval.knowledge.card import Card
from kate_eval.knowledge.item import RecordedCall
from kate_eval.knowledge.published.entry import (
    LICENSE,
    MAX_TEXT,
    Entry,
    Layout,
    Reading,
    kind,
    require_unicode,
    shown,
)

PLACES = {"id", "turn", "question", "answer", "summary", "involved_classes", "embedding"}
MAX_CALLS = 500
MAX_CALL = 20_000
"""Characters of a call."""
MAX_TURN = 10_000
MAX_DEPTH = 32
MAX_BITS = 14_000
"""Of an integer; just under CPython's limit for writing one in decimal."""
UNCHECKED = "leakage can't be checked for this entry"


def fits(value: object) -> bool:
    """Whether a value at the top level looks like an entry of this layout."""
    return (
        isinstance(value, dict)
        and "trajectory" not in value
        and bool({"answer", "involved_classes"} & {*value})
    )


def read(entries: Mapping[str, Any], reading: Reading) -> None:
    """Read the file's entries.

    Raises:
        DatasetError: BFCL's data is not set up.
    """
    engine.require()
    for key, raw in entries.items():
        entry = reading.entry(key, raw, PLACES)
        if entry is not None:
            _read(entry)
            entry.close()


def card(reading: Reading) -> Card:
    """What is known of the items as a whole; also for other layouts of BFCL's."""
    known = [data.load_entry(name) for name in sorted({s for item in reading.items for s in item.sources})]
    used = {entry.category for entry in known}
    categories = tuple(name for name in CATEGORIES if name in used)
    all_known = all(item.sources for item in reading.items)
    train = all_known and all(in_split(entry.index, "train") for entry in known)
    return Card(
        benchmark=reading.benchmark,
        split="train" if train else "?",
        categories=categories,
        data_hash=data.data_hash(categories) if categories else "?",
        engine=ENGINE,
        license=LICENSE,
    )


def _read(entry: Entry) -> None:
    question = entry.question()
    if not question:
        return
    known = _known(entry)
    classes = _classes(entry, known)
    turn = _turn(entry, known, question)
    fields = {
        "question": question,
        "turn": turn,
        "calls": _calls(entry, classes),
        "classes": classes,
        "sources": (known.id,) if known else (),
    }
    stem = f"{known.id if known else entry.digest}/{turn}"
    vector, summary = entry.vector(), entry.text("summary")
    if fields["calls"]:
        entry.add(stem, "trajectory", vector, **fields)
    if summary:
        entry.add(stem, "summary", vector, text=summary, **fields)


def _known(entry: Entry) -> data.Entry | None:
    """The entry of our data that it was made from."""
    name = entry.fields.get("id")
    if name is None:
        entry.note("id", f"absent: {UNCHECKED}")
        return None
    # The category becomes part of a file's name, so it must be one of ours.
    if isinstance(name, str) and name.rpartition("_")[0] in CATEGORIES:
        try:
            return data.load_entry(name)
        except DatasetError:
            pass
    value = repr(shown(name)) if isinstance(name, str) else kind(name)
    entry.note("id", f"{value} is no entry of BFCL-V3: {UNCHECKED}")
    return None


def _classes(entry: Entry, known: data.Entry | None) -> tuple[str, ...]:
    if known is not None and entry.fields.get("involved_classes") is None:
        return tuple(sorted(known.classes))
    names = entry.names("involved_classes")
    if not names:
        entry.note("involved_classes", "no class: entries that involve classes won't find the item")
    for name in names:
        note_class(entry, "involved_classes", name)
    return names


def note_class(entry: Entry, about: str, name: str) -> None:
    """Note a class that BFCL doesn't have."""
    if name not in engine.official().doc_files:
        entry.note(
            about, f"{shown(name)!r} is no class of BFCL-V3: kept, but no entry will find the item by it"
        )


def _turn(entry: Entry, known: data.Entry | None, question: str) -> int:
    """The user turn, from 0: by the question where the entry is known, else as stated."""
    stated = _stated_turn(entry.fields.get("turn"))
    asked = [] if known is None else [_user_text(turn) for turn in known.turns]
    same = [turn for turn, text in enumerate(asked) if text == " ".join(question.split())]
    if asked and not same:
        entry.note(
            "question", "is none of the entry that the id names; the id is taken as the source all the same"
        )
    if same and stated not in same:
        if entry.fields.get("turn") is not None:
            entry.note(
                "turn", "the question is that of another turn of the entry (counted from 0), which is used"
            )
        return same[0]
    if stated is None:
        absent = entry.fields.get("turn") is None
        entry.note("turn", "absent: 0 is used" if absent else "no turn from 0 on: 0 is used")
    return stated or 0


def _user_text(messages: Sequence[Mapping[str, Any]]) -> str:
    return " ".join(" ".join(m["content"] for m in messages if m["role"] == "user").split())


def _stated_turn(value: object) -> int | None:
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 10:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TURN:
        return value
    return None


def _calls(entry: Entry, classes: Sequence[str]) -> tuple[RecordedCall, ...]:
    """The answer's calls; none if one of them can't be read: a handling with a hole would mislead."""
    raw = entry.fields.get("answer")
    texts = [] if raw is None else _texts(raw)
    if not texts:
        entry.note("answer", "no calls: there is no trajectory")
    if len(texts) > MAX_CALLS:
        entry.note("answer", f"more than {MAX_CALLS} calls: there is no trajectory")
        return ()
    parameters = _parameters(tuple(classes))
    calls: list[RecordedCall] = []
    for text in texts:
        try:
            calls.append(_call(text, parameters))
        except ValueError as ex:
            value = shown(text) if isinstance(text, str) else kind(text)
            entry.note("answer", f"{value}: {ex}; the trajectory is left out")
    return tuple(calls) if len(calls) == len(texts) else ()


def _texts(raw: object) -> list[Any]:
    """The single calls of an answer: a list, or a text with a list, a call, or a call a line."""
    if not isinstance(raw, str):
        return raw if isinstance(raw, list) else [raw]
    if len(raw) > MAX_TEXT:
        return [raw]
    try:
        node = _parsed(raw)
    except ValueError:
        return [line for line in raw.splitlines() if line.strip()]
    if not isinstance(node, ast.List):
        return [raw]
    if len(node.elts) > MAX_CALLS:
        return [None] * len(node.elts)
    return [_element(element, raw.strip()) for element in node.elts]


def _element(element: ast.expr, source: str) -> Any:
    if isinstance(element, ast.Constant) and isinstance(element.value, str):
        return element.value
    return ast.get_source_segment(source, element)


def _parsed(text: str) -> ast.expr:
    """A text as Python's syntax tree; nothing is evaluated.

    Raises:
        ValueError: it is no expression.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in strings
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError("no call in Python's syntax") from None


@cache
def _parameters(classes: tuple[str, ...]) -> dict[str, list[str]]:
    """Function -> its parameters, in order."""
    docs = [doc for name in classes if name in engine.official().doc_files for doc in data.class_docs(name)]
    return {doc["name"]: list(doc["parameters"]["properties"]) for doc in docs}


def _call(text: object, parameters: Mapping[str, Sequence[str]]) -> RecordedCall:
    """One call with literal arguments.

    Raises:
        ValueError: it is none; the message says why.
    """
    if not isinstance(text, str) or len(text) > MAX_CALL:
        raise ValueError(f"no text of at most {MAX_CALL:,} characters")
    node = _parsed(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call = parse_call(text, parameters)
    except DatasetError as ex:
        cause = str(ex.__cause__)
        raise ValueError("an argument is no literal" if cause.startswith("malformed") else cause) from None
    except (TypeError, RecursionError, MemoryError):
        raise ValueError("an argument is no literal") from None
    if isinstance(node, ast.Call) and len(call.arguments) < len(node.args) + len(node.keywords):
        raise ValueError("an argument is given twice")
    return RecordedCall(name=call.name, arguments=_json(call.arguments, 0))


def _json(value: Any, depth: int) -> Any:
    """A literal as JSON data.

    Raises:
        ValueError: JSON has nothing like it.
    """
    if depth > MAX_DEPTH:
        raise ValueError("an argument is nested too deep")
    if isinstance(value, list | tuple):
        return [_json(one, depth + 1) for one in value]
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {_json(name, depth): _json(one, depth + 1) for name, one in value.items()}
    if isinstance(value, str):
        require_unicode(value)
        return value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and value.bit_length() <= MAX_BITS:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ValueError("an argument is nothing that JSON has")


LAYOUT = Layout(
    name="BFCL: {question: {id, turn, question, answer, summary, involved_classes, embedding}}",
    benchmarks=("bfcl",),
    fits=fits,
    read=read,
    card=card,
)
