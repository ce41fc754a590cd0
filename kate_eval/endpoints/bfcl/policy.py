"""The simulated model's behaviour: from a situation to answers, as pure functions of a seed.

A step has a difficulty, drawn once from a Beta distribution, so that parallel answers are correlated;
given it, each answer is an independent draw. The underlying uniform numbers don't depend on the prompt:
a relevant example, and nothing else in it, moves the threshold they are compared with (common random
numbers, which make paired differences sharp).
"""

from collections.abc import Sequence
from random import Random

from kate_eval.endpoints.bfcl.mistakes import Answer, Step, mistake
from kate_eval.endpoints.bfcl.request import Progress, Situation, progress
from kate_eval.endpoints.bfcl.script import Pool
from kate_eval.endpoints.bfcl.values import invented_arguments
from kate_eval.endpoints.draws import difficulty, gain, less_wrong
from kate_eval.endpoints.profiles import Profile
from kate_eval.episode import Call

DONE = "All of it is done; this closing reply is simulated."
UNABLE = "I can't do that with what I was given; this reply is simulated, please advise."


def answers(
    situation: Situation, pool: Pool, profile: Profile, seed: str, choices: Sequence[int]
) -> list[Answer]:
    """The answers of some choices (by index) at one step.

    Args:
        situation: what the request shows.
        pool: plausible values for mistakes.
        profile: the rates.
        seed: of the sample and epoch; turn, step and choice are added here.
        choices: indexes of the independent draws.
    """
    state = progress(situation.script.gold[situation.turn], situation.made)
    seed = step_seed(seed, situation, state)
    step = _step(situation, state, pool, seed)
    odds = _odds(situation, step, profile, seed)
    return [_draw(step, odds, profile, seed, f"{seed}|{situation.nudge}|{choice}") for choice in choices]


def step_seed(seed: str, situation: Situation, state: Progress) -> str:
    """The seed of a step: where it stands in the gold, so that arms which differ elsewhere still pair."""
    return f"{seed}|{situation.turn}|{state.position}|{state.extras}"


def _step(situation: Situation, state: Progress, pool: Pool, seed: str) -> Step:
    script = situation.script
    offered = tuple(sorted(situation.offered))
    right = state.remaining[:1] if script.entry.multi_turn else state.remaining
    if script.entry.category == "live_relevance" and not situation.made:
        right = _any_call(script.docs, offered, seed)
    following = state.remaining[len(right) :]
    if any(call.name not in situation.offered for call in right):
        right = following = ()
    return Step(script, pool, right, following, offered, closing=DONE if situation.made else UNABLE)


def _any_call(docs: dict[str, dict[str, object]], offered: Sequence[str], seed: str) -> tuple[Call, ...]:
    """Relevance entries have no gold: any call of a function that is offered counts."""
    rng = Random(f"{seed}|any")
    names = [name for name in offered if name in docs]
    if not names:
        return ()
    name = rng.choice(names)
    return (Call(name, invented_arguments(docs[name], rng)),)


def _odds(situation: Situation, step: Step, profile: Profile, seed: str) -> float:
    """The probability that one draw at this step is right."""
    if not step.right:
        mean = profile.abstain_skill if _abstains(situation) else profile.stop_skill
        return difficulty(mean, profile.concentration, seed)
    odds = difficulty(profile.skill, profile.concentration, seed)
    if any(call.name in situation.shown for call in step.right):
        odds = less_wrong(odds, gain(profile.skill, profile.skill_with_experience))
    elif situation.distracted:
        odds *= 1 - profile.distraction
    return less_wrong(odds, profile.depth_gain) if situation.nudge else odds


def _abstains(situation: Situation) -> bool:
    """Whether something is asked for that no call can do; resisting is harder than closing a turn."""
    return not situation.made and not situation.script.gold[situation.turn]


def _draw(step: Step, odds: float, profile: Profile, seed: str, draw_seed: str) -> Answer:
    rng = Random(draw_seed)
    right, usual, burst = rng.random() < odds, rng.random() < profile.stubborn, rng.random() < profile.burst
    if not right:
        return mistake(step, profile.mistakes, Random(f"{seed}|usual") if usual else rng)
    if not step.right:
        return Answer(reply=step.closing)
    more = burst and step.following and step.following[0].name in step.offered
    return Answer((*step.right, step.following[0]) if more else step.right)
