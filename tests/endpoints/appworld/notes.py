"""A small hand-made benchmark of notes and songs: tasks with gold blocks, and conversations about them."""

import json
from collections.abc import Sequence

from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageSystem, ChatMessageUser

from kate_eval.appworld.decode import code_block
from kate_eval.endpoints.appworld.script import Pool, Script, make_pool, make_script
from kate_eval.endpoints.demonstrations import Demonstration

FAILED = "Execution failed. Traceback:\nNameError: name 'token' is not defined"
LOGIN = "token = apis.notes.login(username='ada', password='secret')['access_token']\nprint(token)"
FIND = "found = apis.notes.search_notes(query='Budget report', limit=20, access_token=token)\nprint(found)"
DELETE = "apis.notes.delete_note(note_id=found[0]['note_id'], access_token=token)"
DONE = "apis.supervisor.complete_task()"
GOLD = (LOGIN, FIND, DELETE, DONE)
QUESTION = "Delete my quarterly note called 'Budget report' from the notes app."
SONGS = (
    "token = apis.songs.login(username='ada', password='hidden')['access_token']\nprint(token)",
    "library = apis.songs.show_library(genre='jazz', page_limit=10, access_token=token)\nprint(library)",
    "apis.supervisor.complete_task(answer=len(library))",
)
COUNT = "How many jazz songs are in my library of songs?"
TIDY = (
    LOGIN,
    "found = apis.notes.search_notes(query='Old list', page_limit=20, access_token=token)\nprint(found)",
    "apis.notes.update_note(note_id=found[0]['note_id'], title='New list', access_token=token)",
    DONE,
)
POOL: Pool = make_pool(
    [Demonstration("delete", GOLD), Demonstration("songs", SONGS), Demonstration("tidy", TIDY)]
)
SCRIPT: Script = make_script("delete", QUESTION, False, GOLD, POOL)
ASKING: Script = make_script("songs", COUNT, True, SONGS, POOL)


def conversation(
    ran: Sequence[tuple[str | None, str]], question: str = QUESTION, notes: str = ""
) -> list[ChatMessage]:
    """A task's conversation after blocks (None: an answer without code) with their outputs."""
    asked = f"I am Ada, your supervisor.\n\nMy task for you: {question}\n{notes}"
    messages: list[ChatMessage] = [ChatMessageSystem(content="Write Python."), ChatMessageUser(content=asked)]
    for code, output in ran:
        said = "Let me see." if code is None else f"Now this.\n{code_block(code).text}"
        came = "Your answer could not be run: no code." if code is None else f"Output:\n{output}"
        messages += [ChatMessageAssistant(content=said), ChatMessageUser(content=came)]
    return messages


def succeeded(codes: Sequence[str]) -> list[tuple[str | None, str]]:
    """Blocks that ran without an error."""
    return [(code, "Execution successful.") for code in codes]


def case(question: str, codes: Sequence[str]) -> str:
    """A worked example as a bank's trajectory is shown."""
    steps = "\n".join(f"{code_block(code).text}\nOutput:\n[1, 2]" for code in codes)
    return f"Case 1\nRequest: {question}\nHow it was resolved:\n{steps}"


def shown(code: str | None) -> dict[str, object]:
    """A candidate as critics see it."""
    if code is None:
        return {"reply": "Let me see."}
    return {"calls": [{"name": "python", "arguments": {"code": code}}]}


def judging(candidates: Sequence[dict[str, object]]) -> str:
    """A critic's instructions with candidates."""
    listed = "\n".join(f"{number}. {json.dumps(one)}" for number, one in enumerate(candidates, start=1))
    return f'Judge the candidates. Answer in JSON: {{"plan": "why", "calls": [], "reply": ""}}\n{listed}'
