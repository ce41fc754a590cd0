"""Whether a prompt shows a worked example for the step at hand, judged from its text alone.

The simulated endpoint's only access to knowledge: no marker, template or name of the code that writes
prompts is known here. An example counts if it calls the needed function and the text before that call is
about a similar request.
"""

import re
from functools import lru_cache

WINDOW = 600
"""Characters before a call in which its request is looked for."""
MIN_SHARED = 2
MIN_OVERLAP = 0.2
"""Share of the current request's content words that the example's request must have."""
LONG_NOTES = 400
"""From this many characters on, text around the question can distract."""

_THINK = re.compile(r"\b(?:state|previous|intent|reflect|think|subtask)", re.IGNORECASE)
_WORD = re.compile(r"[a-z][a-z0-9]{2,}")
_CALL_SOON = re.compile(r"[^{}]{0,40}[\"']arguments[\"']")
_WORKED = re.compile(r"```[^\n`]*\n((?s:.*?))```(?:\s*Output:\n(?:(?!```).+(?:\n|\Z))*)?")
"""A fenced block and what it printed, up to an empty line."""
_API = re.compile(r"\bapis\.(\w+\.\w+)")
_STOPWORDS = frozenset(
    _WORD.findall("""
    about above after again all also and any are around because been before being below between both
    but can could did does doing done down during each ensure ensuring few for from further get give
    given had has have having help her here him his how into its itself just kindly let like looking
    make may might more most must need needed needs new not now off once one only other our out over
    own please provide request same she should show some such sure task than that the their them
    then there these they this those through too under until use used user users using very want
    wanted wants was were what when where which while who whom why will with would you your yours
    question questions answer answers example examples experience experiences information function
    functions tool tools call calls name arguments
    """)
)


def content_words(text: str) -> frozenset[str]:
    """The words of a text that say what it is about: lower case, 3 letters or more, no stopwords."""
    return frozenset(_WORD.findall(text.lower())) - _STOPWORDS


def asks_to_think(text: str) -> bool:
    """Whether a message that follows the results asks to think before the step."""
    return bool(_THINK.search(text))


@lru_cache(maxsize=4096)
def exemplified(text: str, words: frozenset[str], names: frozenset[str]) -> frozenset[str]:
    """Which functions the text shows in a call that answers a similar request.

    Args:
        text: the user's message without the question itself.
        words: the content words of the question.
        names: the functions of interest.
    """
    if not text or not words or not names:
        return frozenset()
    return frozenset(
        name
        for name in names
        if any(_similar(text[max(0, at - WINDOW) : at], words) for at in _calls(text, name))
    )


@lru_cache(maxsize=4096)
def exemplified_in_code(text: str, words: frozenset[str], names: frozenset[str]) -> frozenset[str]:
    """Which APIs the text shows in worked code that answers a similar request.

    Between a request and a call lie the blocks before it and what they printed, so the request is looked
    for in the text before the first of them.

    Args:
        text: the user's message without the question itself.
        words: the content words of the question.
        names: the APIs of interest, as "app.name".
    """
    found: set[str] = set()
    before, end = "", 0
    for match in _WORKED.finditer(text):
        between = text[end : match.start()].strip()
        before, end = between or before, match.end()
        if words and _similar(before[-WINDOW:], words):
            found |= names.intersection(_API.findall(match[1]))
    return frozenset(found)


def _calls(text: str, name: str) -> list[int]:
    """Where the text calls the function: `name(`, or JSON with its arguments (a documentation has none)."""
    dotted = re.escape(name).replace("_", "[._]")
    found = [match.start() for match in re.finditer(rf"(?<![\w.]){dotted}\(", text)]
    for match in re.finditer(rf"[\"']name[\"']:\s*[\"']{dotted}[\"']", text):
        if _CALL_SOON.match(text, match.end()):
            found.append(match.start())
    return found


def _similar(before: str, words: frozenset[str]) -> bool:
    shared = words & content_words(before)
    return len(shared) >= min(MIN_SHARED, len(words)) and len(shared) >= MIN_OVERLAP * len(words)
