"""BFCL's gold as scripts to play: one call a step in multi-turn entries, all at once in single-turn ones.

A turn whose gold has more calls than an entry may have steps (two of 34 calls in the training half) takes
several calls a step, as few as will fit.
"""

from collections.abc import Iterator, Sequence

from kate_eval.bfcl import data, engine
from kate_eval.bfcl.categories import MODES, SPLITS, Mode, has_gold, parse_categories
from kate_eval.bfcl.gold import multi_turn_gold, single_turn_gold
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.episode import Call
from kate_eval.errors import unknown
from kate_eval.knowledge.acquire.bfcl import ENGINE, LICENSE
from kate_eval.knowledge.card import Card
from kate_eval.trainers.rows.play import Need, Played, Script, play
from kate_eval.trainers.rows.source import Gold, Injection

DEFAULT_CATEGORIES = ("multi_turn",)
DEFAULT_SPLIT = "train"
UNKNOWN = ("live_relevance",)
"""Some call applies, but nothing says which: there is no gold to learn from."""


def gold(split: str, categories: Sequence[str], mode: str, limit: int | None = None) -> Gold:
    """The gold of a split's entries.

    Raises:
        ConfigurationError: an unknown category, split or mode.
        DatasetError: bfcl-eval is missing (the message names the remedy).
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    if mode not in MODES:
        raise unknown("mode", mode, MODES)
    engine.require()
    named = parse_categories(categories or DEFAULT_CATEGORIES)
    chosen = tuple(category for category in named if category not in UNKNOWN)
    found = list(data.load(chosen, split))
    entries = [entry for entry in found if not entry.broken_gold][:limit]
    notes = [f"{category}: it has no gold" for category in named if category in UNKNOWN]
    broken = [entry.id for entry in found if entry.broken_gold]
    if broken:
        notes.append(f"{', '.join(broken)}: no honest answer passes (docs/bfcl.md)")

    async def play_one(entry_id: str, injection: Injection) -> Played:
        return await play_entry(data.load_entry(entry_id), mode, injection)

    card = Card(
        benchmark="bfcl",
        split=split,
        categories=chosen,
        data_hash=data.data_hash(chosen),
        engine=ENGINE,
        license=LICENSE,
    )
    clusters = {entry.id: entry.cluster for entry in entries}
    return Gold(card, mode, clusters, play_one, notes=tuple(notes))


async def play_entry(entry: data.Entry, mode: Mode, injection: Injection) -> Played:
    """Play an entry's gold.

    Raises:
        RowsError: a gold call does not parse to itself, or the entry ends elsewhere than its gold.
    """
    episode = BfclEpisode(entry, mode)
    turns = await play(episode, script_of(entry), injection.injector(episode), injection.state)
    return Played(
        benchmark=episode.benchmark,
        entry=entry.id,
        cluster=entry.cluster,
        category=entry.category,
        mode=mode,
        classes=tuple(sorted(entry.classes)),
        one_call=entry.multi_turn,
        turns=turns,
    )


def script_of(entry: data.Entry) -> Script:
    """The script of an entry's gold."""
    if not entry.multi_turn:
        calls = single_turn_gold(entry) if has_gold(entry.category) else []
        return Script([[calls] if calls else []], ["" if calls else "function"])
    turns = multi_turn_gold(entry)
    return Script([list(_steps(calls)) for calls in turns], [_need(entry, n, c) for n, c in enumerate(turns)])


def _steps(calls: Sequence[Call]) -> Iterator[Sequence[Call]]:
    size = max(1, -(-len(calls) // engine.official().max_steps))
    for start in range(0, len(calls), size):
        yield calls[start : start + size]


def _need(entry: data.Entry, turn: int, calls: Sequence[Call]) -> Need:
    """Functions that are held out are offered in the turn after the one that needs them."""
    if calls:
        return ""
    return "function" if turn + 1 in entry.held_out else "information"
