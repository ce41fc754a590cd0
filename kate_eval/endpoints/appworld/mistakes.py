"""The mistakes of the simulated model in code: each kind turns the right block into a plausible wrong one.

They are diverse, so that independent draws rarely agree on the same mistake.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from kate_eval.endpoints.appworld.conditions import without_condition
from kate_eval.endpoints.appworld.literals import literals, other_value, with_literal
from kate_eval.endpoints.appworld.script import API, CLOSING, Block, Script, block_of
from kate_eval.endpoints.draws import drawn_mistake
from kate_eval.endpoints.profiles import MistakeKind

_PRINTED = re.compile(r"[\"']([^\"'\n]{2,60})[\"']")
_NUMBER = re.compile(r"(?<![\w.])(?:0|[1-9]\d{0,5})(?:\.\d{1,2})?(?![\w.])")
GIVE_UP = "apis.supervisor.complete_task(status='fail')"


@dataclass(frozen=True)
class Answer:
    """What the simulated model answers: a block of code, or (None) text without one."""

    code: str | None


@dataclass(frozen=True)
class Step:
    """The step at hand.

    Attributes:
        right: the right block.
        following: the gold block after it; None if it is the last.
        ran: the blocks run so far.
        printed: the last output.
    """

    script: Script
    right: Block
    following: Block | None = None
    ran: tuple[Block, ...] = ()
    printed: str = ""


def mistake(step: Step, weights: Sequence[tuple[MistakeKind, float]], rng: Random) -> Answer:
    """Draw a wrong answer; the last resort is to say something without code."""
    return drawn_mistake(KINDS, step, weights, rng) or Answer(None)


def _wrong_value(step: Step, rng: Random) -> Answer | None:
    found = literals(step.right.code)
    if not found:
        return None
    literal = rng.choice(found)
    known, printed = step.script.pool.values.get(literal.place, ()), tuple(_PRINTED.findall(step.printed))
    value = other_value(literal.value, known, printed, rng)
    return None if value is None else _wrong(step, with_literal(step.right.code, literal.index, value))


def _omitted(step: Step, rng: Random) -> Answer | None:
    return _wrong(step, step.following.code) if step.following else None


def _extra(step: Step, rng: Random) -> Answer | None:
    """More than is asked: the block without one of its conditions, one that was run, or another task's."""
    loose = without_condition(step.right.code, rng)
    if loose is not None and rng.random() < 0.5:
        return _wrong(step, loose)
    gold = {block.key for block in step.script.gold}
    others = [block for block in step.script.pool.blocks if block.key not in gold]
    related = [block for block in others if block.apps & step.right.apps]
    options = step.ran if step.ran and rng.random() < 0.5 else related or others
    return _wrong(step, rng.choice(options).code) if options else None


def _hallucinated(step: Step, rng: Random) -> Answer | None:
    named = API.findall(step.right.code)
    if not named:
        return None
    app, name = rng.choice(named)
    invented = [f"get_{name}", f"{name}_info", f"do_{name}", f"{name}_by_name", f"fetch_{name}", f"{name}s"]
    options = [other for other in invented if f"{app}.{other}" not in step.script.pool.apis]
    if not options:
        return None
    code = re.sub(rf"\bapis\.{app}\.{name}\b", f"apis.{app}.{rng.choice(options)}", step.right.code)
    return _wrong(step, code)


def _early_stop(step: Step, rng: Random) -> Answer | None:
    if not step.script.asks:
        return _wrong(step, f"apis.{CLOSING}()")
    # Who has seen nothing has nothing to guess by.
    return _wrong(step, f"apis.{CLOSING}(answer={_guess(step, rng)})" if step.ran else GIVE_UP)


def _guess(step: Step, rng: Random) -> str:
    numbers: list[str] = _NUMBER.findall(step.printed)
    texts = [repr(text) for text in _PRINTED.findall(step.printed)]
    return rng.choice([*rng.sample(numbers, min(2, len(numbers))), *texts[:2], str(rng.randint(1, 20))])


def _malformed(step: Step, rng: Random) -> Answer | None:
    """No code at all, or a block that breaks off."""
    if rng.random() < 0.5:
        return Answer(None)
    code = step.right.code
    return Answer(f"{code[: rng.randint(len(code) // 3, len(code) - 1)]}(")


KINDS: dict[MistakeKind, Callable[[Step, Random], Answer | None]] = {
    "wrong_value": _wrong_value,
    "omitted": _omitted,
    "extra": _extra,
    "hallucinated": _hallucinated,
    "early_stop": _early_stop,
    "malformed": _malformed,
}


def _wrong(step: Step, code: str) -> Answer | None:
    """The code as an answer, if it does differ from the right block."""
    return None if block_of(code).key == step.right.key else Answer(code)
