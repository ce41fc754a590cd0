"""A solver of one's own: asks the model again, once, before it lets a turn end.

inspect eval kate_eval/bfcl --solver examples/patient.py --model simulated/default --limit 10
"""

from inspect_ai.model import ChatMessageUser, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver

from kate_eval.episode import current_episode


@solver
def patient() -> Solver:
    """One path; a turn ends only when the model says so twice."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        episode = current_episode(state)
        while (turn := episode.next_turn()) is not None:
            state.messages.extend(turn.messages)
            asked_again = over = False
            while not over:
                output = await get_model().generate(state.messages, tools=list(episode.tools))
                action = episode.decode(output.message)
                state.messages.append(action.message)
                if not action.calls and not asked_again:
                    state.messages.append(ChatMessageUser(content="Is anything left to do? If so, do it."))
                    asked_again = True
                    continue
                observation = await episode.step(action)
                state.messages.extend(observation.messages)
                over = observation.turn_over
        return state

    return solve
