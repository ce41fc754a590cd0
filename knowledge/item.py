"""One experience: what was asked, and what the right handling of it was."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from kate_eval.episode import Call

_API = re.compile(r"\bapis\.(\w+\.\w+)\(")


class RecordedCall(BaseModel):
    """A tool call as an item keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    arguments: dict[str, Any]

    def call(self) -> Call:
        """The call itself."""
        return Call(self.name, dict(self.arguments))


class RecordedStep(BaseModel):
    """A block of code and what it printed, as an item keeps them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    output: str


class Experience(BaseModel):
    """One item of a bank. For the form "trajectory": one user turn of a past entry with what resolved it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """Unique within the bank, and stable: "<source>/<turn>/<form>"."""
    form: str = Field(pattern=r"^[a-z][a-z_]*$")
    """Knowledge form: "trajectory"."""
    benchmark: str
    """The benchmark it comes from."""
    source: str
    """Id of the entry it was made from."""
    turn: int = Field(ge=0)
    """The user turn it covers, from 0."""
    question: str = Field(min_length=1)
    """What the user asked in that turn; the text items are retrieved by."""
    calls: tuple[RecordedCall, ...] = ()
    """The calls that handled it, in order."""
    steps: tuple[RecordedStep, ...] = ()
    """The code that handled it, step by step (AppWorld)."""
    classes: tuple[str, ...] = ()
    """Groups of tools (or apps) involved in the entry; an item qualifies if it shares one."""

    @property
    def functions(self) -> frozenset[str]:
        """Names of the functions that the handling used."""
        used = (name for step in self.steps for name in _API.findall(step.code))
        return frozenset(call.name for call in self.calls) | frozenset(used)

    @property
    def content(self) -> str:
        """What makes an item a duplicate of another: its question and its handling."""
        return f"{self.question}\0{[call.call().key for call in self.calls]}{[s.code for s in self.steps]}"
