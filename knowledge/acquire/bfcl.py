"""Gold trajectories: one item per user turn (BFCL multi-turn) or per entry (single-turn), no LLM.

Source: KATE, section 3.1 (arXiv 2606.10875). The default bank is the paper's: the training half of
multi_turn_base. Turns without gold calls, and turns that only add functions, give no item.
"""

from collections.abc import Iterator, Sequence

from kate_eval.bfcl import data
from kate_eval.bfcl.categories import SPLITS, Split, has_gold, parse_categories
from kate_eval.bfcl.engine import BFCL_EVAL_VERSION
from kate_eval.bfcl.gold import multi_turn_gold, single_turn_gold
from kate_eval.episode import Call
from kate_eval.errors import unknown
from kate_eval.knowledge.bank import Bank, EmbedderCard, make_bank
from kate_eval.knowledge.calibrate import calibrate
from kate_eval.knowledge.item import Experience, RecordedCall

FORM = "trajectory"
DEFAULT_CATEGORIES = ("multi_turn_base",)


def _item(entry: data.Entry, turn: int, calls: Sequence[Call]) -> Experience | None:
    question = "\n".join(m["content"] for m in entry.turns[turn] if m["role"] == "user").strip()
    if not question or not calls:
        return None
    return Experience(
        id=f"{entry.id}/{turn}/{FORM}",
        form=FORM,
        benchmark="bfcl",
        source=entry.id,
        turn=turn,
        question=question,
        calls=tuple(RecordedCall(name=call.name, arguments=call.arguments) for call in calls),
        classes=tuple(sorted(entry.classes)),
    )


def trajectories(entry: data.Entry) -> Iterator[Experience]:
    """The trajectory items of one BFCL entry."""
    turns = multi_turn_gold(entry) if entry.multi_turn else [single_turn_gold(entry)]
    for turn, calls in enumerate(turns):
        item = _item(entry, turn, calls)
        if item is not None:
            yield item


def build_bfcl_bank(categories: Sequence[str] = DEFAULT_CATEGORIES, split: Split = "train") -> Bank:
    """Build a bank of gold trajectories from BFCL's data, in a second or two.

    Raises:
        ConfigurationError: an unknown category or split.
        BankError: the categories have no gold.
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    chosen = tuple(c for c in parse_categories(categories) if has_gold(c))
    items = [item for entry in data.load(chosen, split) for item in trajectories(entry)]
    threshold, how = calibrate(items) if items else (0.0, "no items")
    return make_bank(
        items,
        benchmark="bfcl",
        split=split,
        categories=chosen,
        data_hash=data.data_hash(chosen),
        engine=f"bfcl-eval {BFCL_EVAL_VERSION}",
        embedder=EmbedderCard(name="lexical", threshold=threshold, calibration=how),
        license="Made from BFCL-V3 data (bfcl-eval, Apache-2.0)",
    )
