"""How experiences are shown to a model: into the user's message, the most similar one last.

Source: the order of parts is KATE's (section 3.2); the wording is ours (knowledge/prompts).
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from string import Template

from kate_eval.knowledge.retrieve import Retrieved

PROMPTS = Path(__file__).parent / "prompts"


@cache
def _template(name: str) -> Template:
    return Template((PROMPTS / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n"))


def render_experiences(question: str, found: Sequence[Retrieved]) -> str:
    """The user's message with experiences in it.

    Args:
        question: what the user says in this turn.
        found: the experiences, most similar first; they are shown in reverse.
    """
    cases = [
        _template(hit.item.form).substitute(
            number=number,
            question=hit.item.question,
            calls="\n".join(call.call().text for call in hit.item.calls),
        )
        for number, hit in enumerate(reversed(found), start=1)
    ]
    return _template("experiences").substitute(question=question, experiences="\n\n".join(cases))
