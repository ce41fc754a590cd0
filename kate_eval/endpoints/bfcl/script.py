"""What the simulated endpoint knows of an entry: its questions, gold calls and plausible values, cached.

The simulated model plays from this script; what it *sees* comes from the request alone (request.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from kate_eval.bfcl.categories import Mode, has_gold
from kate_eval.bfcl.data import Entry, load_category, load_entry
from kate_eval.bfcl.gold import multi_turn_gold, single_turn_gold
from kate_eval.endpoints.relevance import content_words
from kate_eval.episode import Call


@dataclass(frozen=True)
class Script:
    """One entry, as the simulated model would have to play it.

    Attributes:
        questions: per turn the text of its last user message; "" where functions are added.
        gold: per turn the right calls, under the names the model is offered.
        words: per turn the content words of what the user wants (before added functions: the
            request that could not be fulfilled).
        docs: offered name -> function documentation, held-out functions included.
    """

    entry: Entry
    questions: tuple[str, ...]
    gold: tuple[tuple[Call, ...], ...]
    words: tuple[frozenset[str], ...]
    docs: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Pool:
    """Gold calls of a whole category, the source of mistakes that look plausible.

    Attributes:
        calls: function -> its calls.
        values: (function, parameter) -> its values.
    """

    calls: dict[str, tuple[Call, ...]]
    values: dict[tuple[str, str], tuple[Any, ...]]


@lru_cache(maxsize=8192)
def script_of(entry_id: str, mode: Mode) -> Script:
    """The script of an entry.

    Raises:
        DatasetError: no such entry.
    """
    entry = load_entry(entry_id)
    questions = tuple(_question(turn) for turn in entry.turns)
    functions = [*entry.functions, *(doc for docs in entry.held_out.values() for doc in docs)]
    return Script(
        entry=entry,
        questions=questions,
        gold=tuple(_gold(entry, mode)),
        words=tuple(content_words(_wanted(questions, turn)) for turn in range(len(questions))),
        docs={_offered_name(doc["name"], entry, mode): doc for doc in functions},
    )


def _question(turn: tuple[dict[str, Any], ...]) -> str:
    texts = [message["content"] for message in turn if message["role"] == "user"]
    return str(texts[-1]).strip() if texts else ""


def _wanted(questions: tuple[str, ...], turn: int) -> str:
    return next((text for text in reversed(questions[: turn + 1]) if text), "")


def _offered_name(name: str, entry: Entry, mode: Mode) -> str:
    """Function calling can't have dots in names; the official conversion makes them underscores."""
    return name if entry.multi_turn or mode == "prompt" else name.replace(".", "_")


def _gold(entry: Entry, mode: Mode) -> Iterator[tuple[Call, ...]]:
    if entry.multi_turn:
        yield from (tuple(calls) for calls in multi_turn_gold(entry))
    elif has_gold(entry.category):
        calls = single_turn_gold(entry)
        yield tuple(Call(_offered_name(call.name, entry, mode), call.arguments) for call in calls)
    else:
        yield ()


@cache
def pool_of(category: str, mode: Mode) -> Pool:
    """The pool of a category (the first use parses all its gold: 0.1 s)."""
    calls: dict[str, list[Call]] = {}
    values: dict[tuple[str, str], list[Any]] = {}
    for entry in load_category(category):
        for call in (call for turn in script_of(entry.id, mode).gold for call in turn):
            calls.setdefault(call.name, []).append(call)
            for parameter, value in call.arguments.items():
                known = values.setdefault((call.name, parameter), [])
                if value not in known:
                    known.append(value)
    return Pool(
        calls={name: tuple(found) for name, found in calls.items()},
        values={key: tuple(found) for key, found in values.items()},
    )
