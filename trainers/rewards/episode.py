"""The reward of a whole episode: for models that get some of them right."""

from collections.abc import Sequence

from kate_eval.trainers.rewards.findings import EngineTest, Findings, Reward

PARTLY = 0.5
"""The most that an AppWorld task without success can have."""


def episode(found: Findings) -> Reward:
    """The official verdict on all turns, so that the mean is the benchmark's accuracy.

    AppWorld: 1 for a success; else up to 0.5 for tests passed. Only those count that fail before anything is
    done; of the others, which doing nothing passes, each one broken takes its share away.

    Raises:
        ValueError: there is no verdict.
    """
    if found.accepted is None:
        raise ValueError("the episode has no official verdict")
    if found.tests is None or found.accepted:
        return Reward(float(found.accepted), {"verdict": float(found.accepted)})
    progress = _share([test for test in found.tests if not test.at_start], none=0.0)
    intact = _share([test for test in found.tests if test.at_start], none=1.0)
    return Reward(PARTLY * progress * intact, {"verdict": 0.0, "progress": progress, "intact": intact})


def _share(tests: Sequence[EngineTest], none: float) -> float:
    return sum(test.passed for test in tests) / len(tests) if tests else none
