"""The simulated model as AppWorld's critic: which of the shown candidates is the right next block."""

from collections.abc import Sequence

from inspect_ai.model import ChatMessage

from kate_eval.appworld.decode import MAX_CODE, TOOL
from kate_eval.endpoints.appworld.policy import right_block, step_seed, where
from kate_eval.endpoints.appworld.request import Situation, asked_at, attempts_in
from kate_eval.endpoints.appworld.script import Block, Script, block_of
from kate_eval.endpoints.candidates import Candidate, CriticRequest, pasted, pick
from kate_eval.endpoints.profiles import Profile


def verdict(
    request: CriticRequest,
    script: Script,
    messages: Sequence[ChatMessage],
    profile: Profile,
    seed: str,
    attempt: int | None,
) -> str:
    """The critic's answer: JSON with a plan and one shown candidate's calls or reply, or broken JSON.

    Args:
        request: the critic's request in the messages.
        script: the task's script.
        messages: the whole request.
        profile: the rates.
        seed: of the sample and epoch.
        attempt: tells repeated requests apart.

    Raises:
        EndpointError: the conversation doesn't hold the task.
    """
    situation = _situation(request, script, messages)
    state = where(situation, profile, seed)
    right = right_block(situation, state)

    def is_right(candidate: Candidate) -> bool:
        return _is_right(candidate, right)

    return pick(request, messages, is_right, profile, f"{step_seed(seed, state)}|{attempt}")


def _is_right(candidate: Candidate, right: Block) -> bool:
    if len(candidate.calls) != 1 or candidate.calls[0]["name"] != TOOL:
        return False
    code = candidate.calls[0]["arguments"].get("code")
    return isinstance(code, str) and len(code) <= MAX_CODE and block_of(code).key == right.key


def _situation(request: CriticRequest, script: Script, messages: Sequence[ChatMessage]) -> Situation:
    """Where the conversation stands: replayed before the candidates, or pasted beside them."""
    spoken = [(str(message.role), message.text) for message in messages[: request.at]]
    if not any(role == "user" for role, _ in spoken):
        spoken = pasted(request.text)
    return Situation(script, attempts_in(spoken[asked_at(script, spoken) + 1 :]))
