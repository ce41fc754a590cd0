"""The 17 categories of BFCL-V3, their groups and the train/test split.

Source: bfcl-eval 2026.3.23 (`constants/category_mapping.py`); the split is the paper's (section 4.1):
even index = train, odd index = test.
"""

from collections.abc import Sequence
from typing import Literal

from kate_eval.errors import unknown

NON_LIVE = (
    "simple_python",
    "simple_java",
    "simple_javascript",
    "multiple",
    "parallel",
    "parallel_multiple",
    "irrelevance",
)
LIVE = (
    "live_simple",
    "live_multiple",
    "live_parallel",
    "live_parallel_multiple",
    "live_irrelevance",
    "live_relevance",
)
MULTI_TURN = (
    "multi_turn_base",
    "multi_turn_miss_func",
    "multi_turn_miss_param",
    "multi_turn_long_context",
)
GROUPS: dict[str, tuple[str, ...]] = {
    "non_live": NON_LIVE,
    "live": LIVE,
    "multi_turn": MULTI_TURN,
    "all": NON_LIVE + LIVE + MULTI_TURN,
}
CATEGORIES = GROUPS["all"]

Split = Literal["train", "test", "all"]
SPLITS: tuple[Split, ...] = ("train", "test", "all")
Mode = Literal["fc", "prompt"]
MODES: tuple[Mode, ...] = ("fc", "prompt")


def parse_categories(names: str | Sequence[str]) -> tuple[str, ...]:
    """Expand category and group names into categories, in official order, without duplicates.

    Args:
        names: "multi_turn_base,live" or a list of such names.

    Raises:
        ConfigurationError: a name is neither a category nor a group, or there is none.
    """
    asked = names.split(",") if isinstance(names, str) else list(names)
    asked = [name.strip() for name in asked if name.strip()]
    if not asked:
        raise unknown("category", names, [*GROUPS, *CATEGORIES])
    chosen: set[str] = set()
    for name in asked:
        if name not in GROUPS and name not in CATEGORIES:
            raise unknown("category", name, [*GROUPS, *CATEGORIES])
        chosen.update(GROUPS.get(name, (name,)))
    return tuple(category for category in CATEGORIES if category in chosen)


def group_of(category: str) -> str:
    """The leaderboard group ("non_live", "live", "multi_turn") of a category."""
    return next(group for group, members in GROUPS.items() if category in members)


def is_multi_turn(category: str) -> bool:
    """Whether the category plays several user turns in an executable environment."""
    return category in MULTI_TURN


def has_gold(category: str) -> bool:
    """Whether the category's entries come with gold calls (relevance and irrelevance have none)."""
    return "relevance" not in category


def in_split(index: int, split: Split) -> bool:
    """Whether the entry with this index (position in its category) belongs to the split."""
    return split == "all" or (index % 2 == 0) == (split == "train")


def language_of(category: str) -> Literal["python", "java", "javascript"]:
    """The language whose syntax the category's arguments have."""
    if category == "simple_java":
        return "java"
    return "javascript" if category == "simple_javascript" else "python"
