"""Progress: equal blocks first, then attempts by their APIs; after an error the model may go back."""

import pytest
from inspect_ai.model import ChatMessageUser

from kate_eval.endpoints.appworld.progress import progress
from kate_eval.endpoints.appworld.request import Attempt, read
from kate_eval.endpoints.appworld.script import block_of
from kate_eval.errors import EndpointError

from .notes import COUNT, DELETE, DONE, FAILED, FIND, GOLD, LOGIN, SCRIPT, case, conversation, succeeded

WRONG_FIND = FIND.replace("Budget report", "Budget")
OTHER = "apis.songs.play(song_id=3)"


def after(*ran: str | None, failed: int | None = None, goes_back: bool = False) -> tuple[int, int]:
    """Position and spent answers after these blocks, the one at `failed` with an error."""
    attempts = [
        Attempt(None if code is None else block_of(code), f"Output:\n{FAILED if n == failed else 'fine'}")
        for n, code in enumerate(ran)
    ]
    state = progress(SCRIPT.gold, attempts, lambda number: goes_back)
    return state.position, state.spent


@pytest.mark.parametrize(
    ("ran", "position", "spent"),
    [
        ((), 0, 0),
        ((LOGIN,), 1, 0),
        ((LOGIN.replace("\n", "\n\n# a comment\n"),), 1, 0),  # layout does not matter
        ((LOGIN, WRONG_FIND), 2, 0),  # a wrong attempt is taken for the step
        ((FIND,), 2, 0),  # what was passed over is not come back to
        ((LOGIN, OTHER), 1, 1),
        ((LOGIN, None), 1, 1),  # an answer without code
        ((LOGIN, LOGIN), 1, 1),
        (GOLD, 4, 0),
    ],
)
def test_blocks_are_matched(ran: tuple[str | None, ...], position: int, spent: int) -> None:
    assert after(*ran) == (position, spent)


def test_after_an_error_the_model_goes_on_or_back_to_what_has_not_worked() -> None:
    assert after(LOGIN, DELETE, failed=1) == (3, 1)
    assert after(LOGIN, DELETE, failed=1, goes_back=True) == (1, 1)
    assert after(LOGIN, DELETE, FIND, failed=1, goes_back=True) == (2, 1)


def test_a_request_shows_the_blocks_that_were_run_and_which_failed() -> None:
    situation = read(SCRIPT, conversation([(LOGIN, "abc"), (None, ""), (FIND, FAILED)]))
    assert [attempt.block and attempt.block.code for attempt in situation.attempts] == [LOGIN, None, FIND]
    assert [attempt.failed for attempt in situation.attempts] == [False, False, True]
    assert situation.nudge == ""


def test_an_example_shows_apis_if_its_request_is_similar() -> None:
    similar = case("Delete the old quarterly note 'Team report' from the notes app.", [LOGIN, FIND])
    situation = read(SCRIPT, conversation([], notes=similar))
    assert situation.shown == {"notes.login", "notes.search_notes"} and not situation.distracted
    other = read(SCRIPT, conversation([], notes=case(COUNT, [LOGIN, FIND, DELETE, DONE] * 2)))
    assert not other.shown and other.distracted


def test_a_last_message_that_asks_to_think_is_a_nudge() -> None:
    messages = conversation(succeeded([LOGIN]))
    nudged = read(SCRIPT, [*messages, ChatMessageUser(content="Which state does it depend on?")])
    assert nudged.nudge and len(nudged.attempts) == 1


def test_another_conversation_is_refused() -> None:
    with pytest.raises(EndpointError, match="does not find the task delete"):
        read(SCRIPT, conversation([], question="Something else"))
