"""What a knowledge form is: what is asked of a writing model, and how an answer becomes an item."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from pathlib import Path
from string import Template
from typing import Any, Generic, TypeVar

from kate_eval.knowledge.acquire.case import Case
from kate_eval.knowledge.bank import Vectors
from kate_eval.knowledge.item import Experience
from kate_eval.knowledge.render import block, fresh_mark

T = TypeVar("T")
PROMPTS = Path(__file__).parent / "prompts"
MIN_WORDS, MAX_WORDS = 8, 400
"""Of a written text; about 100 are asked for."""
MAX_ANSWER = 200_000
"""Characters of an answer that are looked at."""
LATIN = 0.7
"""Share of an answer's letters that must be Latin: the benchmarks and our prompts are English."""
_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


@cache
def prompt(name: str) -> Template:
    """A text that writing models are shown (knowledge/acquire/prompts/NAME.txt)."""
    return Template((PROMPTS / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n"))


def ask(name: str | Template, records: Mapping[str, str | Sequence[str]], **words: object) -> str:
    """What a writing model is asked: a prompt with records of cases in it.

    A record is data: it stands between two lines with a mark that occurs in none of them, so that no text
    can end its block.

    Args:
        name: of the prompt (knowledge/acquire/prompts/NAME.txt), or the prompt itself.
        records: field of the prompt -> a record, or several that are numbered; none are "(none)".
        words: field -> what is put in as it is.
    """
    texts = {field: (one,) if isinstance(one, str) else tuple(one) for field, one in records.items()}
    mark = fresh_mark([text for several in texts.values() for text in several])
    blocks = {field: _blocks(mark, field, several) for field, several in texts.items()}
    asked = (prompt(name) if isinstance(name, str) else name).substitute(blocks, **words)
    return f"{prompt('records').substitute(mark=mark)}\n\n{asked}"


def _blocks(mark: str, field: str, texts: Sequence[str]) -> str:
    titles = [field] if len(texts) == 1 else [f"{field} {number}" for number in range(1, len(texts) + 1)]
    return "\n\n".join(map(block, repeat(mark), titles, texts)) or "(none)"


@dataclass(frozen=True)
class Job(Generic[T]):
    """One item, or something else, to be written by a model.

    Attributes:
        form: the item's form, or a name of what else is written.
        prompt: what the model is asked.
        read: (answer, writer) -> the item; ValueError says why the answer can't be used.
        schema: JSON schema of the answer, where it is to be JSON.
        max_tokens: of the answer, where it is longer than others.
    """

    form: str
    prompt: str
    read: Callable[[str, str], T]
    schema: dict[str, Any] | None = None
    max_tokens: int | None = None

    def key(self, model: str) -> str:
        """Equal for jobs that ask a model the same: what was answered once is not paid for again."""
        return hashlib.sha256(repr((self.form, model, self.prompt)).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Inputs:
    """What a form's items are made of.

    Attributes:
        cases: to be turned into items.
        vectors: of their questions, for clustering: shape (len(cases), D); None with the lexical embedder.
        built: items of the forms that this one builds upon.
    """

    cases: Sequence[Case]
    vectors: Vectors | None = None
    built: Sequence[Experience] = ()


@dataclass(frozen=True)
class Form:
    """A knowledge form. It has `items` (no model is asked), or `jobs`.

    Attributes:
        name: as users write it; knowledge/prompts/NAME.txt shows an item of it.
        items: cases -> items.
        jobs: inputs -> what a model must write.
        after: the form that this one builds upon.
        by_intent: whether an item is an intent: made per class of tools, so that the benchmark must have
            classes, and retrieved by the intent that a model states, one item a turn.
        from_runs: whether it needs a model's own runs.
    """

    name: str
    items: Callable[[Sequence[Case]], list[Experience]] | None = None
    jobs: Callable[[Inputs], list[Job[Experience]]] | None = None
    after: str = ""
    by_intent: bool = False
    from_runs: bool = False


def read_prose(answer: str) -> str:
    """The text of an answer: one paragraph of prose.

    Raises:
        ValueError: it is none; the message says why.
    """
    text = " ".join(without_thinking(answer).split())
    count = len(text.split())
    if not text:
        raise ValueError("the answer is empty")
    if count > MAX_WORDS:
        raise ValueError(f"the answer has {count} words; about 100 are wanted")
    if count < MIN_WORDS:
        raise ValueError(f"the answer has only {count} words; about 100 are wanted")
    require_latin(text)
    return text


def without_thinking(answer: str) -> str:
    """An answer without the reasoning that some models write before it."""
    return _THINKING.sub("", answer[:MAX_ANSWER]).rpartition("</think>")[2].strip()


def require_latin(text: str) -> None:
    """Check that a text is written in Latin letters.

    Raises:
        ValueError: it is not.
    """
    letters = [char for char in text if char.isalpha()]
    latin = sum(unicodedata.name(char, "").startswith("LATIN") for char in letters)
    if not letters or latin < LATIN * len(letters):
        raise ValueError("the answer is not in English")
