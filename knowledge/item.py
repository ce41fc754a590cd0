"""One experience: what was asked, and what the right handling of it was."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from kate_eval.episode import Call


class RecordedCall(BaseModel):
    """A tool call as an item keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    arguments: dict[str, Any]

    def call(self) -> Call:
        """The call itself."""
        return Call(self.name, dict(self.arguments))


class Experience(BaseModel):
    """One item of a bank. For the form "trajectory": one user turn of a past entry with its calls."""

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
    calls: tuple[RecordedCall, ...]
    """The calls that handled it, in order."""
    classes: tuple[str, ...] = ()
    """Groups of tools involved in the entry; an item qualifies if it shares one."""
