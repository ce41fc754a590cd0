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

_WORD = re.compile(r"[a-z][a-z0-9]{2,}")
_CALL_SOON = re.compile(r"[^{}]{0,40}[\"']arguments[\"']")
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
    return frozenset(name for name in names if any(_similar(text, at, words) for at in _calls(text, name)))


def _calls(text: str, name: str) -> list[int]:
    """Where the text calls the function: `name(`, or JSON with its arguments (a documentation has none)."""
    dotted = re.escape(name).replace("_", "[._]")
    found = [match.start() for match in re.finditer(rf"(?<![\w.]){dotted}\(", text)]
    for match in re.finditer(rf"[\"']name[\"']:\s*[\"']{dotted}[\"']", text):
        if _CALL_SOON.match(text, match.end()):
            found.append(match.start())
    return found


def _similar(text: str, at: int, words: frozenset[str]) -> bool:
    shared = words & content_words(text[max(0, at - WINDOW) : at])
    return len(shared) >= min(MIN_SHARED, len(words)) and len(shared) >= MIN_OVERLAP * len(words)
