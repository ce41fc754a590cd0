"""Aggregation: from candidates to the one action to play.

Source: KATE, section 3.3 (arXiv 2606.10875). If all candidates agree, no further request is made; else
one of these decides. A new aggregator is one function and one line in AGGREGATORS.

Departures: undecodable candidates don't vote (unless all are), and where nobody can decide, the most
frequent candidate is played, which is the first one among equals.
"""

from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from kate_eval.solvers.adaptive import Rule, ballots, confidence_in
from kate_eval.solvers.candidate import Candidate, tally, vote_key
from kate_eval.solvers.context import Context, gather
from kate_eval.solvers.critic import Review, review
from kate_eval.solvers.decision import Decision

Aggregator = Callable[[Sequence[Candidate], Context], Coroutine[Any, Any, Decision]]


async def decide(candidates: Sequence[Candidate], context: Context) -> Decision:
    """Choose the action: the only candidate, the one all agree on, or the aggregator's."""
    if len(candidates) == 1:
        return Decision(candidates[0].action, "only")
    context.counters.votes += 1
    ranked = tally(candidates)
    if len(ranked) == 1:
        agreed = ranked[0][1] == len(candidates)
        context.counters.agreements += agreed
        # Where the others could not be decoded, there is nothing left to choose from either.
        return Decision(ranked[0][0].action, "agreed" if agreed else "only")
    votes = ballots(candidates)
    if context.parameters.width.adaptive and Rule(context.parameters.confidence).sure(votes):
        evidence = {"votes": _votes(ranked), "confidence": round(confidence_in(votes), 4)}
        return Decision(ranked[0][0].action, "confident", evidence)
    return await AGGREGATORS[context.parameters.aggregate](candidates, context)


async def first(candidates: Sequence[Candidate], context: Context) -> Decision:
    """The first candidate: the control that shows what sampling alone does."""
    return Decision(candidates[0].action, "first")


async def majority(candidates: Sequence[Candidate], context: Context) -> Decision:
    """The most frequent calls; if "no call" wins, the first reply."""
    ranked = tally(candidates)
    return Decision(ranked[0][0].action, "majority", {"votes": _votes(ranked)})


async def critic(candidates: Sequence[Candidate], context: Context) -> Decision:
    """One critic sees the distinct candidates and answers with the step to take."""
    shown = _shortlist(candidates, context)
    found = await review(shown, context, "general")
    action = found.action or shown[0].action
    return Decision(action, "critic", {"votes": _votes(tally(candidates)), "critics": [found.describe()]})


async def critic_majority(candidates: Sequence[Candidate], context: Context) -> Decision:
    """Four critics with different focus vote; a tie goes to the first of them."""
    shown = _shortlist(candidates, context)
    reviews: Sequence[Review] = await gather(
        *(review(shown, context, focus) for focus in ("general", "function", "logic", "state"))
    )
    ordered = context.episode.one_call
    actions = [found.action for found in reviews if found.action is not None]
    keys = [vote_key(action, ordered) for action in actions]
    votes = Counter(keys)
    best = max(keys, key=lambda key: votes[key], default=None)
    action = actions[keys.index(best)] if best is not None else shown[0].action
    evidence = {"votes": _votes(tally(candidates)), "critics": [found.describe() for found in reviews]}
    return Decision(action, "critic_majority", evidence)


AGGREGATORS: dict[str, Aggregator] = {
    "first": first,
    "majority": majority,
    "critic": critic,
    "critic_majority": critic_majority,
}


def _shortlist(candidates: Sequence[Candidate], context: Context) -> list[Candidate]:
    """The distinct candidates that critics see, most frequent first."""
    return [candidate for candidate, _ in tally(candidates)][: context.parameters.shortlist]


def _votes(ranked: Sequence[tuple[Candidate, int]]) -> list[dict[str, Any]]:
    return [{"votes": votes, **candidate.describe()} for candidate, votes in ranked]
