"""How long a rollout may get."""

from pydantic import BaseModel, ConfigDict, Field


class Bounds(BaseModel):
    """Bounds of one rollout. What they cut off is no answer of the model's: it is marked as truncated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_answers: int = Field(default=30, ge=1)
    """Answers. BFCL itself ends an entry after 21 in a turn, and AppWorld a task at this bound: that is the
    model's doing, and no truncation."""
    answer_tokens: int = Field(default=1024, ge=1)
    """Tokens of one answer."""
    completion_tokens: int = Field(default=4096, ge=1)
    """Tokens of all answers and observations together."""
    context_tokens: int = Field(default=32768, ge=2)
    """Tokens of prompt and completion: what the model, or the memory, can take."""

    def room(self, context: int, completion: int) -> int:
        """The tokens that the next answer may have, after so many in all, and so many since the prompt."""
        left = self.completion_tokens - completion, self.context_tokens - context
        return min(self.answer_tokens, *left)
