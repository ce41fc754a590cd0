"""The simulated model's behaviour in code: from a situation to answers, as pure functions of a seed.

As in BFCL, a step has a difficulty, drawn once, so that parallel answers are correlated; given it, each
answer is an independent draw. The uniform numbers don't depend on the prompt: a relevant example, and
nothing else in it, moves the threshold they are compared with. After an error the model may go back.
"""

from collections.abc import Sequence
from random import Random

from kate_eval.endpoints.appworld.mistakes import GIVE_UP, Answer, Step, mistake
from kate_eval.endpoints.appworld.progress import Progress, progress
from kate_eval.endpoints.appworld.request import Situation
from kate_eval.endpoints.appworld.script import Block, block_of
from kate_eval.endpoints.draws import difficulty, gain, less_wrong
from kate_eval.endpoints.profiles import Profile

PATIENCE = 3
"""After so many answers per gold block the model gives up, so that every sample ends."""


def answers(situation: Situation, profile: Profile, seed: str, choices: Sequence[int]) -> list[Answer]:
    """The answers of some choices (by index) at one step.

    Args:
        situation: what the request shows.
        profile: the rates.
        seed: of the sample and epoch; step and choice are added here.
        choices: indexes of the independent draws.
    """
    if len(situation.attempts) >= PATIENCE * len(situation.script.gold):
        return [Answer(GIVE_UP)] * len(choices)
    state = where(situation, profile, seed)
    step, seed = _step(situation, state), step_seed(seed, state)
    odds = _odds(situation, step, profile, seed)
    return [_draw(step, odds, profile, seed, f"{seed}|{situation.nudge}|{choice}") for choice in choices]


def where(situation: Situation, profile: Profile, seed: str) -> Progress:
    """Where the conversation stands, by the same draws for whoever asks about the sample."""

    def goes_back(attempt: int) -> bool:
        return Random(f"{seed}|{attempt}|goes back").random() < profile.recovery

    return progress(situation.script.gold, situation.attempts, goes_back)


def step_seed(seed: str, state: Progress) -> str:
    """The seed of a step: where it stands in the gold, so that arms which differ elsewhere still pair."""
    return f"{seed}|{state.position}|{state.spent}"


def right_block(situation: Situation, state: Progress) -> Block:
    """The block to run next; to give up, where no gold block is left and the task is still not over."""
    gold = situation.script.gold
    return gold[state.position] if state.position < len(gold) else block_of(GIVE_UP)


def _step(situation: Situation, state: Progress) -> Step:
    following = situation.script.gold[state.position + 1 : state.position + 2]
    return Step(
        script=situation.script,
        right=right_block(situation, state),
        following=following[0] if following else None,
        ran=tuple(attempt.block for attempt in situation.attempts if attempt.block is not None),
        printed=situation.attempts[-1].output if situation.attempts else "",
    )


def _odds(situation: Situation, step: Step, profile: Profile, seed: str) -> float:
    """The probability that one draw at this step is right."""
    odds = difficulty(profile.skill, profile.concentration, seed)
    if step.right.apis and step.right.apis <= situation.shown:
        odds = less_wrong(odds, gain(profile.skill, profile.skill_with_experience))
    elif situation.distracted:
        odds *= 1 - profile.distraction
    return less_wrong(odds, profile.depth_gain) if situation.nudge else odds


def _draw(step: Step, odds: float, profile: Profile, seed: str, draw_seed: str) -> Answer:
    rng = Random(draw_seed)
    right, usual = rng.random() < odds, rng.random() < profile.stubborn
    if right:
        return Answer(step.right.code)
    return mistake(step, profile.mistakes, Random(f"{seed}|usual") if usual else rng)
