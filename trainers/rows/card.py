"""The card of a rows folder: what its rows are made of. `card.json` is for programs, README.md for people."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1
BAR = 40
"""Characters of the longest bar of a histogram."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Knowledge(_Part):
    """The knowledge that the rows' messages show."""

    bank: str
    """Its folder, or "default"."""
    bank_hash: str
    bank_data_hash: str
    forms: tuple[str, ...]
    embedder: str
    threshold: float
    k: int
    dropout: float
    """Share of the entries that get none."""
    irrelevant: float
    """Probability that an item is exchanged for one that does not qualify."""
    entries: int = 0
    """Entries with rows that show items."""
    items_exchanged: int = 0


class Teacher(_Part):
    """The model that wrote reasoning and closing replies."""

    model: str
    prompts_hash: str
    reasoning: int = 0
    """Steps with reasoning."""
    replies: int = 0
    """Closing replies; the others are our fixed sentences."""
    refused: dict[str, int] = {}
    """Why answers could not be used, the last try's reason -> steps and replies that go without."""


class Tokens(_Part):
    """How long rows are: prompt and completion together."""

    counted_by: str
    """The tokenizer, or the rule of thumb."""
    median: int = 0
    p90: int = 0
    p99: int = 0
    max: int = 0
    completion_median: int = 0
    completion_max: int = 0
    histogram: dict[str, int] = {}
    """Upper bound (inclusive) -> rows."""


class Leak(_Part):
    """What the rows hold of a test half."""

    against: str
    """The evaluation set."""
    turns: int
    """Turns of it in which something is asked."""
    entries: tuple[str, ...] = ()
    """Its entries, or siblings of them, that rows were made from."""
    bank_entries: tuple[str, ...] = ()
    """The same, of the bank that rows show items of."""
    same: int = 0
    """Turns that a row's turn asks in the same words and handles by the same gold."""
    same_question: int = 0
    same_handling: int = 0
    """Of these, calls without arguments apart: see `trivial`."""
    trivial: int = 0
    """Turns whose gold is one call without arguments, which a row's turn has too."""
    near: int = 0
    """Turns from the similarity on at which a text counts as near (report/strata.py), duplicates too."""
    duplicate: int = 0
    """Turns from the similarity on at which it counts as a duplicate."""
    unknown_sources: int = 0
    """Items of the bank that don't say what they were made from: their leaks can't be seen."""


class RowsCard(_Part):
    """What a folder's rows are made of."""

    schema_version: int = SCHEMA_VERSION
    benchmark: str
    split: str
    categories: tuple[str, ...] = ()
    mode: str
    """fc, prompt or code; of logs several are joined by "+"."""
    seed: int = 0
    held_out_share: float = Field(default=0.0, ge=0, lt=1)
    """Share of the clusters (scenarios) whose rows are held out."""
    data_hash: str
    engine: str
    license: str
    knowledge: Knowledge | None = None
    teacher: Teacher | None = None
    aggregation: int = 0
    """Candidates of an aggregation row; 0: there are no such rows."""
    prompts_hash: str = ""
    """Of the texts that solvers and injection show a model."""
    logs: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    """Models whose runs the rows are."""
    counts: dict[str, int] = {}
    """Rows by kind and more."""
    tokens: Tokens | None = None
    leak: tuple[Leak, ...] = ()
    leaked: bool = False
    """Whether rows were made from entries of the test half, which was allowed."""
    notes: tuple[str, ...] = ()
    """What was left out, and why."""
    created: str = ""
    """Date, YYYY-MM-DD."""
    train_file: str = ""
    held_out_file: str = ""
    """"" where nothing is held out."""
    rows_hash: str = ""
    """SHA-256 of both files, the training rows first: 16 hex digits."""


def histogram(counts: Mapping[str, int]) -> str:
    """A histogram as text, a line a bucket."""
    most = max(counts.values(), default=0) or 1
    width = max(map(len, counts), default=0)
    return "\n".join(
        f"<= {bound:>{width}}  {'#' * -(-BAR * count // most):<{BAR}}  {count}"
        for bound, count in counts.items()
    )


def readme(card: RowsCard) -> str:
    """README.md of a rows folder: a dataset card whose front matter lets `load_dataset` find the rows."""
    parts = [("train", card.train_file), ("held_out", card.held_out_file)]
    files = "".join(f"  - split: {name}\n    path: {file}\n" for name, file in parts if file)
    licence = "apache-2.0" if "Apache-2.0" in card.license else "other"
    table = "\n".join(
        f"| {name} | {str(value).replace('|', '/')} |" for name, value in described(card).items()
    )
    tokens = f"\n## Tokens a row\n\n```\n{histogram(card.tokens.histogram)}\n```\n" if card.tokens else ""
    warning = "**Made from test entries, which was allowed: no score on them means anything.**\n\n"
    return (
        f"---\nlicense: {licence}\ntags:\n- kate-eval\n- agents\n- tool-calling\n"
        f"configs:\n- config_name: default\n  data_files:\n{files}---\n\n"
        f"# kate-eval training rows\n\n{warning if card.leaked else ''}| | |\n|---|---|\n{table}\n{tokens}\n"
        "One row is one assistant step: `messages` and `tools` as a chat completions request has them, and "
        "`completion`, the assistant message to learn; all three are JSON text. docs/training.md describes "
        "the fields.\n"
    )


def described(card: RowsCard) -> dict[str, Any]:
    """What a card says, in words."""
    rows: dict[str, Any] = {
        "Benchmark": f"{card.benchmark} {card.split}, {card.mode}",
        "Categories": ", ".join(card.categories) or "-",
        "Rows": ", ".join(f"{name} {count}" for name, count in card.counts.items()),
        "Held out": f"{card.held_out_share:g} of the scenarios, seed {card.seed}",
        "Knowledge": _knowledge(card.knowledge),
        "Reasoning and replies": _teacher(card.teacher, card.models),
        "Aggregation": f"{card.aggregation} candidates" if card.aggregation else "none",
        "Models whose runs these are": ", ".join(card.models) or "none (gold)",
        "Tokens a row": _tokens(card.tokens),
        "Leak check": "; ".join(map(_leak, card.leak)) or "not made",
        "Left out": "; ".join(card.notes) or "nothing",
        "Data hash": card.data_hash,
        "Rows hash": card.rows_hash,
        "Engine": card.engine,
        "Made": card.created,
        "Licence": card.license,
    }
    return rows


def _knowledge(used: Knowledge | None) -> str:
    if used is None:
        return "none"
    return (
        f"{', '.join(used.forms)} of {used.bank} ({used.bank_hash}), top {used.k} above {used.threshold} "
        f"({used.embedder}); dropout {used.dropout:g}, irrelevant {used.irrelevant:g}: {used.entries} "
        f"entries show items, {used.items_exchanged} items were exchanged"
    )


def _teacher(teacher: Teacher | None, models: tuple[str, ...]) -> str:
    if teacher is None:
        return "as the models wrote them" if models else "no reasoning, fixed closing sentences"
    refused = sum(teacher.refused.values())
    return (
        f"by {teacher.model}: {teacher.reasoning} steps, {teacher.replies} replies; {refused} go without, "
        "because no answer could be used"
    )


def _tokens(tokens: Tokens | None) -> str:
    if tokens is None:
        return "not counted"
    return (
        f"median {tokens.median}, p90 {tokens.p90}, p99 {tokens.p99}, max {tokens.max}; completion: median "
        f"{tokens.completion_median}, max {tokens.completion_max} ({tokens.counted_by})"
    )


def _leak(leak: Leak) -> str:
    entries = f"{len(leak.entries)} of its entries or their siblings have rows"
    bank = f", {len(leak.bank_entries)} are in the bank" if leak.bank_entries else ""
    return (
        f"{leak.against}: {entries}{bank}; of its {leak.turns} turns {leak.same} have the same question and "
        f"calls as a row's, {leak.same_question} the same question, {leak.same_handling} the same calls "
        f"({leak.trivial} more a call without arguments); {leak.near} are near, {leak.duplicate} of them "
        "duplicates, by TF-IDF"
    )
