"""Candidates for aggregation rows where there are no runs: gold, and seeded corruptions of it.

The mistakes are the simulated model's (kate_eval/endpoints), drawn from the entries that rows are made of
and from no others: values of the test half stay out.
"""

from collections.abc import Callable, Sequence
from random import Random

from kate_eval.appworld.decode import code_block
from kate_eval.bfcl.categories import Mode
from kate_eval.endpoints.appworld import mistakes as code_mistakes
from kate_eval.endpoints.appworld import script as code_script
from kate_eval.endpoints.bfcl import mistakes as call_mistakes
from kate_eval.endpoints.bfcl import script as call_script
from kate_eval.endpoints.demonstrations import Demonstration
from kate_eval.endpoints.profiles import MistakeKind
from kate_eval.episode import Call
from kate_eval.trainers.rows.play import SENTENCES, Played

KINDS: tuple[MistakeKind, ...] = ("wrong_value", "omitted", "extra", "hallucinated", "early_stop")
"""Kinds of mistakes; answers that can't be read are no candidates."""
TRIES = 8
"""Draws for one candidate: some repeat others."""
Wrong = tuple[str, tuple[Call, ...]]
"""Kind of the mistake, and the calls; none for a reply that ends the turn."""
Draw = Callable[[Random], Wrong | None]


class Corruptions:
    """Mistakes that look plausible, by what all played entries hold."""

    def __init__(self, played: Sequence[Played]) -> None:
        self._calls: dict[tuple[str, str], call_script.Pool] = {}
        codes = [one for one in played if one.mode == "code"]
        self._code = code_script.make_pool([Demonstration(one.entry, _codes(one)) for one in codes])
        for category, mode in {(one.category, one.mode) for one in played if one.mode != "code"}:
            alike = [one for one in played if (one.category, one.mode) == (category, mode)]
            self._calls[category, mode] = _pool(alike)

    def of(self, played: Played, turn: int, number: int, count: int, rng: Random) -> list[Wrong]:
        """Different wrong answers in place of a step.

        Args:
            played: the entry.
            turn: position of the turn among those played.
            number: of the step in its turn.
            count: how many at most.
            rng: decides which.
        """
        draw = self._code_draw(played, number) if played.mode == "code" else self._draw(played, turn, number)
        right = _key(played.turns[turn].steps[number].calls)
        found: dict[str, Wrong] = {}
        for _ in range(TRIES * count):
            if len(found) == count:
                break
            wrong = draw(rng)
            if wrong is not None and (key := _key(wrong[1])) != right:
                found.setdefault(key, wrong)
        return list(found.values())

    def _draw(self, played: Played, turn: int, number: int) -> Draw:
        assert played.mode != "code"
        mode: Mode = played.mode
        steps = played.turns[turn].steps
        step = call_mistakes.Step(
            script=call_script.script_of(played.entry, mode),
            pool=self._calls[played.category, mode],
            right=steps[number].calls,
            following=tuple(call for later in steps[number + 1 :] for call in later.calls),
            offered=tuple(sorted(str(doc["name"]) for doc in played.turns[turn].docs)),
            closing=SENTENCES[""],
        )

        def draw(rng: Random) -> Wrong | None:
            kind = rng.choice(KINDS)
            found = call_mistakes.KINDS[kind](step, rng)
            return None if found is None or found.malformed else (kind, found.calls)

        return draw

    def _code_draw(self, played: Played, number: int) -> Draw:
        codes = _codes(played)
        blocks = [code_script.block_of(code) for code in codes]
        script = code_script.make_script(played.entry, played.turns[0].query, False, codes, self._code)
        printed = played.turns[0].steps[number - 1].observations[0].text if number else ""
        step = code_mistakes.Step(
            script=script,
            right=blocks[number],
            following=blocks[number + 1] if number + 1 < len(blocks) else None,
            ran=tuple(blocks[:number]),
            printed=printed,
        )

        def draw(rng: Random) -> Wrong | None:
            kind = rng.choice(KINDS)
            found = code_mistakes.KINDS[kind](step, rng)
            return None if found is None or found.code is None else (kind, (code_block(found.code),))

        return draw


def _codes(played: Played) -> tuple[str, ...]:
    return tuple(
        str(call.arguments["code"]) for turn in played.turns for step in turn.steps for call in step.calls
    )


def _key(calls: Sequence[Call]) -> str:
    return "\n".join(call.key for call in calls)


def _pool(played: Sequence[Played]) -> call_script.Pool:
    calls: dict[str, dict[str, Call]] = {}
    values: dict[tuple[str, str], list[object]] = {}
    for call in (c for one in played for turn in one.turns for step in turn.steps for c in step.calls):
        calls.setdefault(call.name, {}).setdefault(call.key, call)
        for parameter, value in call.arguments.items():
            known = values.setdefault((call.name, parameter), [])
            if value not in known:
                known.append(value)
    return call_script.Pool(
        calls={name: tuple(found.values()) for name, found in calls.items()},
        values={key: tuple(found) for key, found in values.items()},
    )
