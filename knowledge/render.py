"""How experiences are shown to a model: into the user's message, the most similar one last.

Source: the order of parts is KATE's (section 3.2); the wording is ours (knowledge/prompts).
"""

from collections.abc import Callable, Sequence
from functools import cache
from string import Template

from kate_eval.episode import Call
from kate_eval.knowledge.bank import TEMPLATES
from kate_eval.knowledge.item import Experience
from kate_eval.knowledge.retrieve import Retrieved


@cache
def template(name: str) -> Template:
    """A text of knowledge/prompts by name."""
    return Template((TEMPLATES / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n"))


def render_experiences(
    question: str, found: Sequence[Retrieved], tool_name: Callable[[str], str] = str
) -> str:
    """The user's message with experiences in it.

    Args:
        question: what the user says in this turn.
        found: the experiences, most similar first; they are shown in reverse.
        tool_name: the name under which a function is offered to this model.
    """
    cases = [_case(hit.item, number, tool_name) for number, hit in enumerate(reversed(found), start=1)]
    return template("experiences").substitute(question=question, experiences="\n\n".join(cases))


def _case(item: Experience, number: int, tool_name: Callable[[str], str]) -> str:
    if item.steps:
        steps = "\n".join(f"```python\n{step.code}\n```\nOutput:\n{step.output}" for step in item.steps)
        shown = template(f"{item.form}_code")
        return shown.substitute(number=number, question=item.question, steps=steps)
    calls = "\n".join(Call(tool_name(call.name), call.arguments).text for call in item.calls)
    return template(item.form).substitute(number=number, question=item.question, calls=calls)
