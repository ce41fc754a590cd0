"""The published bank of AppWorld's tasks: {instruction: {question, trajectory, summary, required_apps, ...}}.

Gives the forms "trajectory" and "summary". A trajectory is a text: parts with a heading "Code of Step N:"
between lines of dashes; what a step printed follows under a heading of its own, if it is there at all. As
in banks that we build, outputs are cut and access tokens masked (acquire/appworld.py).
"""

import ast
import keyword
import re
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from kate_eval.appworld import data, places
from kate_eval.errors import ConfigurationError, DatasetError
from kate_eval.knowledge.acquire.appworld import ENGINE, recorded_step
from kate_eval.knowledge.card import Card
from kate_eval.knowledge.item import RecordedStep
from kate_eval.knowledge.published.entry import LICENSE, Entry, Layout, Reading, shown

PLACES = {"question", "trajectory", "summary", "embedding", "required_apps"}
MAX_STEPS = 500
_CODE = re.compile(r"[#* ]{0,8}code of step (\d{1,6})[* ]{0,4}:[* ]{0,4}", re.IGNORECASE)
_OUTPUT = re.compile(r"(?:#{3,6}|\*{0,3}) {0,2}(\w+)\b.{0,80}:[* ]{0,4}")
_NAMES_OUTPUT = re.compile(r"\b(outputs?|results?|observations?|printed)\b", re.IGNORECASE)
_DASHES = re.compile(r"\s*-{3,}\s*")
_FENCE = re.compile(r"(`{3,})(?:python|py|text)?[ \t]*\n(.*)\n\1", re.DOTALL)

Tasks = Mapping[str, Sequence[str]]
"""Instruction, its spaces evened out -> ids of the tasks that have it."""


def fits(value: object) -> bool:
    """Whether a value at the top level looks like an entry of this layout."""
    return isinstance(value, dict) and bool({"trajectory", "required_apps"} & {*value})


def read(entries: Mapping[str, Any], reading: Reading) -> None:
    """Read the file's entries."""
    tasks = _tasks(reading)
    for key, raw in entries.items():
        entry = reading.entry(key, raw, PLACES)
        if entry is not None:
            _read(entry, tasks)
            entry.close()


def card(reading: Reading) -> Card:
    """What is known of the items as a whole."""
    world = places.world_of_benchmark(reading.benchmark) or "real"
    sources = sorted({source for item in reading.items for source in item.sources})
    train = places.SPLITS[world][0]
    known = bool(sources) and all(item.sources for item in reading.items)
    return Card(
        benchmark=reading.benchmark,
        split=train if known and {*sources} <= {*data.task_ids(train)} else "?",
        data_hash=data.data_hash(sources, world) if sources else "?",
        engine=ENGINE,
        license=f"{LICENSE}. Made from AppWorld's tasks, whose authors ask not to publish them in plain text",
    )


def _tasks(reading: Reading) -> Tasks | None:
    """The tasks of the benchmark's world; None if it is not set up, which is noted."""
    world = places.world_of_benchmark(reading.benchmark) or "real"
    found: dict[str, list[str]] = defaultdict(list)
    try:
        for split in places.SPLITS[world]:
            for task in data.load(split):
                found[_even(task.instruction)].append(task.id)
    except (DatasetError, ConfigurationError) as ex:
        reading.note("", "sources", f"unknown: leakage can't be checked for any item. {ex}")
        return None
    return found


def _even(text: str) -> str:
    return " ".join(text.split())


def _read(entry: Entry, tasks: Tasks | None) -> None:
    question = entry.question()
    if not question:
        return
    steps, sources = _steps(entry), _sources(entry, question, tasks)
    apps = entry.names("required_apps")
    fields = {"question": question, "steps": steps, "classes": apps, "sources": sources}
    stem = "+".join(sources) or entry.digest
    vector, summary = entry.vector(), entry.text("summary")
    if steps:
        entry.add(f"{stem}/0", "trajectory", vector, **fields)
    if summary:
        entry.add(f"{stem}/0", "summary", vector, text=summary, **fields)


def _sources(entry: Entry, question: str, tasks: Tasks | None) -> tuple[str, ...]:
    """The tasks with this instruction; the field "question" may be worded anew, the key is what was asked."""
    if tasks is None:
        return ()
    found = {*tasks.get(_even(question), ()), *tasks.get(_even(entry.key), ())}
    if not found:
        entry.note(
            "(key)", "is the instruction of no task that is set up: leakage can't be checked for this entry"
        )
    return tuple(sorted(found))


def _steps(entry: Entry) -> tuple[RecordedStep, ...]:
    text = entry.text("trajectory")
    if not text:
        entry.note("trajectory", "absent, or no text: there is no trajectory")
        return ()
    parts = _parts(entry, text)
    if len(parts) > MAX_STEPS:
        entry.note("trajectory", f"more than {MAX_STEPS} steps; left out")
        return ()
    steps = []
    for part in parts:
        code, output = map(_unfenced, _code_and_output(part))
        if not code:
            entry.note("trajectory", "a step without code; left out")
            continue
        if not _is_python(code):
            entry.note("trajectory", "a step's code is no Python; it may hold its output too")
        steps.append(recorded_step(code, output))
        if (steps[-1].code, steps[-1].output) != (code, output):
            entry.note("trajectory", "a step's output was cut, or an access token in it masked")
    return tuple(steps)


def _parts(entry: Entry, text: str) -> list[list[str]]:
    """The lines of each step. Outputs may hold headings too: one counts first, or after a line of dashes."""
    lines = text.replace("\r\n", "\n").split("\n")
    starts: list[int] = []
    numbers: list[int] = []
    for place, line in enumerate(lines):
        found = _CODE.fullmatch(line)
        if found and (not starts or _after_dashes(lines, place)):
            starts.append(place)
            numbers.append(int(found[1]))
    if not starts:
        entry.note("trajectory", "no line 'Code of Step N:'; taken as one step")
        return [lines]
    if any(line.strip() and not _DASHES.fullmatch(line) for line in lines[: starts[0]]):
        entry.note("trajectory", "text before the first step; left out")
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        entry.note(
            "trajectory", f"steps are numbered {shown(', '.join(map(str, numbers)))}; kept in their order"
        )
    return [lines[start + 1 : end] for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]


def _after_dashes(lines: Sequence[str], place: int) -> bool:
    before = next((line for line in reversed(lines[max(0, place - 4) : place]) if line.strip()), "")
    return bool(_DASHES.fullmatch(before))


def _code_and_output(lines: Sequence[str]) -> tuple[str, str]:
    """The code of a step, and what stands below the first heading of an output."""
    place = next((place for place, line in enumerate(lines) if _heads_output(line)), len(lines))
    return _trimmed(lines[:place]), _trimmed(lines[place + 1 :])


def _heads_output(line: str) -> bool:
    """Whether a line is a heading such as "Output of Step 3:"; "for result in results:" is code."""
    found = _OUTPUT.fullmatch(line.rstrip())
    code = found and (keyword.iskeyword(found[1]) or keyword.issoftkeyword(found[1]))
    return bool(found and not code and _NAMES_OUTPUT.search(line))


def _is_python(code: str) -> bool:
    """Whether a text has Python's syntax; nothing is run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _trimmed(lines: Sequence[str]) -> str:
    """The lines as text, without the dashes that set parts apart."""
    kept = list(lines)
    while kept and (not kept[-1].strip() or _DASHES.fullmatch(kept[-1])):
        kept.pop()
    return "\n".join(kept).strip()


def _unfenced(text: str) -> str:
    found = _FENCE.fullmatch(text)
    return found[2] if found else text


LAYOUT = Layout(
    name="AppWorld: {instruction: {question, trajectory, summary, embedding, required_apps}}",
    benchmarks=tuple(places.BENCHMARKS.values()),
    fits=fits,
    read=read,
    card=card,
)
