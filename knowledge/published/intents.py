"""The published bank of intents: {class: [{intent, pattern: {summary, step}, embedding}]}.

Gives the forms "intent" (with the steps as its workflow) and "intent_summary". The file does not say which
entries an intent was made from.
"""

import json
from collections.abc import Mapping
from typing import Any

from kate_eval.bfcl import engine
from kate_eval.episode import plain
from kate_eval.knowledge.bank import digest
from kate_eval.knowledge.published import bfcl
from kate_eval.knowledge.published.entry import (
    MAX_NAME,
    SHOWN,
    WHOLE,
    Entry,
    Layout,
    Reading,
    kind,
    shown,
    usable,
)

PLACES = {"intent", "pattern", "embedding"}
PATTERN = {"summary", "step", "steps"}
MAX_STEPS = 100


def fits(value: object) -> bool:
    """Whether a value at the top level looks like the intents of a class."""
    rows = value if isinstance(value, list) else [value]
    return any(isinstance(row, dict) and bool({"intent", "pattern"} & {*row}) for row in rows)


def read(entries: Mapping[str, Any], reading: Reading) -> None:
    """Read the file's intents.

    Raises:
        DatasetError: BFCL's data is not set up.
    """
    engine.require()
    for name, raw in entries.items():
        rows = [raw] if isinstance(raw, dict) else raw
        try:
            group = usable(name, MAX_NAME)
            if not group:
                raise ValueError("the class has no name")
            if not isinstance(rows, list):
                raise ValueError(f"{kind(raw)}, where a list of intents is wanted")
        except ValueError as ex:
            reading.note(name, WHOLE, f"{ex}; left out")
            continue
        if not rows:
            reading.note(name, WHOLE, "the class has no intents")
        for number, row in enumerate(rows):
            entry = reading.entry(f"{shown(name, SHOWN - 20)}[{number}]", row, PLACES)
            if entry is not None:
                _read(entry, group)
                entry.close()
    if reading.items:
        reading.note("", "sources", "the file names no entries: leakage can't be checked for any item")


def _read(entry: Entry, group: str) -> None:
    intent = entry.text("intent")
    if not intent:
        entry.note("intent", "absent or empty")
        return
    bfcl.note_class(entry, "(key)", group)
    vector = entry.vector()
    summary, steps = _pattern(entry)
    fields = {"question": intent, "classes": (group,), "sources": ()}
    stem = f"{group}/{digest(intent)}"
    if steps:
        entry.add(stem, "intent", vector, workflow=steps, **fields)
    if summary:
        entry.add(stem, "intent_summary", vector, text=summary, **fields)


def _pattern(entry: Entry) -> tuple[str, tuple[str, ...]]:
    """The summary and the steps, as far as they are there."""
    raw = entry.fields.get("pattern")
    if isinstance(raw, str):
        raw = _object(raw)
    if not isinstance(raw, dict):
        entry.note("pattern", f"{kind(entry.fields.get('pattern'))}, where an object is wanted; left out")
        return "", ()
    entry.reading.unplaced(raw, PATTERN, "pattern.")
    summary = raw.get("summary")
    steps = _steps(entry, raw.get("step") if raw.get("step") is not None else raw.get("steps"))
    return "" if summary is None else entry.checked("pattern.summary", summary), steps


def _object(text: str) -> object:
    """The JSON that a text holds; None if it holds none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _steps(entry: Entry, raw: object) -> tuple[str, ...]:
    """The workflow: a list, or a text with a step a line."""
    about = "pattern.step"
    if raw is None:
        entry.note(about, "absent: there is no intent with a workflow")
        return ()
    listed = entry.checked(about, raw).splitlines() if isinstance(raw, str) else raw
    if not isinstance(listed, list) or len(listed) > MAX_STEPS:
        entry.note(about, f"{kind(raw)}, where a list of at most {MAX_STEPS} steps is wanted; left out")
        return ()
    steps = []
    for step in listed:
        if not isinstance(step, str):
            entry.note(about, f"{kind(step)}, where a text is wanted; kept as JSON text")
            step = json.dumps(plain(step), ensure_ascii=False)
        steps.append(entry.checked(about, step))
    return tuple(step for step in steps if step)


LAYOUT = Layout(
    name="intents: {class: [{intent, pattern: {summary, step}, embedding}]}",
    benchmarks=("bfcl",),
    fits=fits,
    read=read,
    card=bfcl.card,
)
