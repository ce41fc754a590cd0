"""One experience: what was asked, and what is known about handling it."""

import json
import re
from collections.abc import Mapping, Set
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_serializer, field_validator

from kate_eval.episode import Call, plain

_API = re.compile(r"\bapis\.(\w+\.\w+)\(")


class RecordedCall(BaseModel):
    """A tool call as an item keeps it. In files `arguments` is JSON text: all rows have one schema."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    arguments: dict[str, Any]

    @field_validator("arguments", mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        value = json.loads(value) if isinstance(value, str) else value
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError, TypeError):  # half an emoji, a huge integer: what models write
            value = json.loads(json.dumps(plain(value)).encode("ascii", "replace").replace(b"\\ud", b"?ud"))
        return value

    @field_serializer("arguments", when_used="json")
    def _text(self, value: dict[str, Any]) -> str:
        return json.dumps(value, ensure_ascii=False)

    def call(self) -> Call:
        """The call itself."""
        return Call(self.name, dict(self.arguments))


class RecordedStep(BaseModel):
    """A block of code and what it printed, as an item keeps them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    output: str


class Origin(BaseModel):
    """Where an item comes from. In an item without a run or a writer their fields are empty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["gold", "run", "import"] = "gold"
    log: str = ""
    """File name of the Inspect log."""
    sample: str = ""
    """Inspect's unique id of the sample in that log."""
    epoch: int = 0
    model: str = ""
    """The model whose run it is."""
    writer: str = ""
    """The model that wrote the item's text."""
    success: bool = True
    """Whether the run handled it rightly; gold always does."""
    evidence: str = ""
    """What the checker found, of a run that failed; who judged it, where no checker did."""


class Experience(BaseModel):
    """One item of a bank: instance-level (a user turn of a past entry) or an intent (of many requests)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    """Unique within the bank, and stable: "<source>/<turn>/<form>", with a digest where a model wrote it."""
    form: str = Field(pattern=r"^[a-z][a-z_]*$")
    """Knowledge form: a name in `acquire.FORMS`."""
    benchmark: str
    """The benchmark it comes from."""
    sources: tuple[str, ...]
    """Ids of the entries it was made from; none if they are not known (some imports)."""
    turn: int = Field(default=0, ge=0)
    """The user turn it covers, from 0."""
    question: str = Field(min_length=1)
    """What the user asked in that turn, or the intent: the text that items are retrieved by."""
    calls: tuple[RecordedCall, ...] = ()
    """The calls that handled it, in order."""
    steps: tuple[RecordedStep, ...] = ()
    """The code that handled it, step by step (AppWorld)."""
    text: str = ""
    """What a model wrote about it: summary, reflection, description of a workflow."""
    workflow: tuple[str, ...] = ()
    """The generalised steps of an intent."""
    classes: tuple[str, ...] = ()
    """Groups of tools (or apps) involved in the entry; an item qualifies if it shares one."""
    origin: Origin = Origin()
    """Gold, a run, or an import."""

    @property
    def functions(self) -> frozenset[str]:
        """Names of the functions that the handling used."""
        used = (name for step in self.steps for name in _API.findall(step.code))
        return frozenset(call.name for call in self.calls) | frozenset(used)

    @cached_property
    def line(self) -> str:
        """The item as a line of a bank's file, without the line break."""
        return self.model_dump_json()

    @cached_property
    def content(self) -> str:
        """What makes an item a duplicate of another: all that a model would be shown of it."""
        calls = [call.call().key for call in self.calls]
        codes = [step.code for step in self.steps]
        return repr((self.form, self.question, calls, codes, self.text, self.workflow))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy; pydantic's own would keep what was derived from the fields before their update."""
        copied = super().model_copy(update=update, deep=deep)
        for derived in ("line", "content"):
            copied.__dict__.pop(derived, None)
        return copied

    def made_from(self, entries: Set[str]) -> bool:
        """Whether it was made from one of the entries."""
        return not entries.isdisjoint(self.sources)
