"""Where gold rows come from: a benchmark's entries, and how each is played with or without knowledge."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from kate_eval.episode import Episode
from kate_eval.knowledge.card import Card
from kate_eval.solvers.inject import Injector
from kate_eval.trainers.rows.play import Played, State


def no_injector(episode: Episode) -> Injector | None:
    """No knowledge."""
    return None


@dataclass(frozen=True)
class Injection:
    """Knowledge for the entries that are played.

    Attributes:
        injector: of an episode; None where it gets no knowledge.
        state: asks a model for a turn's intent.
    """

    injector: Callable[[Episode], Injector | None] = no_injector
    state: State | None = None


@dataclass(frozen=True)
class Gold:
    """A benchmark's gold.

    Attributes:
        card: benchmark, split, categories, data hash, engine and licence.
        mode: how answers act.
        clusters: entry -> the scenario that it varies, in order.
        play: plays one entry.
        at_once: entries that may be played side by side.
        notes: what was left out.
    """

    card: Card
    mode: str
    clusters: Mapping[str, str]
    play: Callable[[str, Injection], Awaitable[Played]]
    at_once: int = 1
    notes: tuple[str, ...] = ()

    @property
    def entries(self) -> tuple[str, ...]:
        """Ids of the entries, in order."""
        return tuple(self.clusters)
