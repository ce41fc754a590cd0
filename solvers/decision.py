"""What a step's candidates come to. A module of its own, so that an aggregator can be one, too."""

from dataclasses import dataclass, field
from typing import Any

from kate_eval.episode import Action


@dataclass(frozen=True)
class Decision:
    """The action to play and how it was chosen.

    Attributes:
        action: what is played.
        how: "only" (one candidate, or one that could be decoded), "agreed", "confident" (adaptive width's
            leader), or the aggregator's name.
        evidence: votes and critics' answers, as JSON data for the transcript.
    """

    action: Action
    how: str
    evidence: dict[str, Any] = field(default_factory=dict)
