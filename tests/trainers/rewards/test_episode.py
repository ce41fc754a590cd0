"""The reward of a whole episode, as a table of examples."""

import pytest

from kate_eval.trainers.rewards import EngineTest, Findings
from kate_eval.trainers.rewards.episode import episode

DONE, UNDONE = EngineTest(True, False), EngineTest(False, False)
INTACT, BROKEN = EngineTest(True, True), EngineTest(False, True)

BFCL = {"accepted": (True, 1.0), "rejected": (False, 0.0)}
APPWORLD = {
    "a success": (True, [DONE, DONE, INTACT], 1.0),
    "doing nothing": (False, [UNDONE, UNDONE, INTACT, INTACT], 0.0),
    "half": (False, [DONE, UNDONE, INTACT], 0.25),
    "half, with damage": (False, [DONE, UNDONE, INTACT, BROKEN], 0.125),
    "all, with damage": (False, [DONE, DONE, BROKEN], 0.0),
    "damage alone": (False, [UNDONE, BROKEN], 0.0),
    "no outputs": (False, [], 0.0),
    "nothing but what holds at the start": (False, [INTACT, BROKEN], 0.0),
}


@pytest.mark.parametrize(("accepted", "value"), BFCL.values(), ids=BFCL)
def test_bfcl(accepted: bool, value: float) -> None:
    assert episode(Findings((), accepted=accepted)).value == value


@pytest.mark.parametrize(("accepted", "tests", "value"), APPWORLD.values(), ids=APPWORLD)
def test_appworld(accepted: bool, tests: list[EngineTest], value: float) -> None:
    assert episode(Findings((), accepted=accepted, tests=tuple(tests))).value == value


def test_no_verdict_is_an_error() -> None:
    with pytest.raises(ValueError, match="no official verdict"):
        episode(Findings(()))
