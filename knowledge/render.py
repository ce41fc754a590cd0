"""How experiences are shown to a model: into the user's message, the most similar one last.

Source: the order of parts is KATE's (section 3.2); the wording is ours (knowledge/prompts). What an item
holds is data: each case stands between lines with a mark that occurs in none of them, so none can end its
own block.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from string import Template

from kate_eval.episode import Call
from kate_eval.knowledge.bank import TEMPLATES
from kate_eval.knowledge.item import Experience
from kate_eval.knowledge.retrieve import Retrieved

CHARACTERS = 4
"""Characters a token, as a rule of thumb: the budget is for prompts of any model."""


@cache
def template(name: str) -> Template:
    """A text of knowledge/prompts by name."""
    return Template((TEMPLATES / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n"))


def render_experiences(
    question: str, found: Sequence[Retrieved], tool_name: Callable[[str], str] = str
) -> str:
    """The user's message with experiences in it. Forms of one past turn stand together, as one case.

    Args:
        question: what the user says in this turn.
        found: the experiences, most similar first; they are shown in reverse.
        tool_name: the name under which a function is offered to this model.
    """
    turns: dict[object, list[Experience]] = {}
    for hit in found:
        turns.setdefault((hit.item.sources, hit.item.turn, hit.item.question), []).append(hit.item)
    bodies = [render_case(items, tool_name) for items in reversed(turns.values())]
    mark = fresh_mark([question, *bodies])
    blocks = [block(mark, f"case {number}", body) for number, body in enumerate(bodies, start=1)]
    return template("experiences").substitute(question=question, experiences="\n\n".join(blocks), mark=mark)


def render_case(items: Sequence[Experience], tool_name: Callable[[str], str] = str) -> str:
    """Items of one past turn, or one intent, as text.

    The first line of a form's template names the question; items under the same line share it.
    """
    lines: list[str] = []
    for item in items:
        head, _, body = _shown(item, tool_name)
        if head not in lines:
            lines.append(head)
        lines.append(body)
    return "\n".join(lines)


def _shown(item: Experience, tool_name: Callable[[str], str]) -> tuple[str, str, str]:
    """The first line of an item's text, and the rest."""
    calls = "\n".join(Call(tool_name(call.name), call.arguments).text for call in item.calls)
    if item.steps:
        calls = "\n".join(f"{fenced(step.code, 'python')}\nOutput:\n{step.output}" for step in item.steps)
    coded = bool(item.steps) and (TEMPLATES / f"{item.form}_code.txt").is_file()
    workflow = "\n".join(f"{number}. {step}" for number, step in enumerate(item.workflow, start=1))
    head, newline, body = template(f"{item.form}_code" if coded else item.form).template.partition("\n")
    values = {"question": item.question, "calls": calls, "text": item.text, "workflow": workflow}
    return Template(head).substitute(values), newline, Template(body).substitute(values)


def fenced(code: str, language: str = "") -> str:
    """Code between fences that are longer than any in it."""
    fence = "```"
    while fence in code:
        fence += "`"
    return f"{fence}{language}\n{code}\n{fence}"


def block(mark: str, title: str, body: str) -> str:
    """A text between two lines with a mark, which must not occur in it (`fresh_mark`)."""
    return f"[{mark} {title}]\n{body}\n[{mark} end of {title}]"


def fresh_mark(texts: Sequence[str]) -> str:
    """A mark that occurs in none of the texts; the same for the same texts, so that prompts repeat."""
    seed = "\0".join(texts)
    number = 0
    while True:
        mark = hashlib.sha256(f"{number}\0{seed}".encode(errors="surrogatepass")).hexdigest()[:8]
        if not any(mark in text for text in texts):
            return mark
        number += 1


def tokens(text: str) -> int:
    """About how many tokens a text has."""
    return -(-len(text) // CHARACTERS)


def within_budget(
    found: Sequence[Retrieved], budget: int | None, tool_name: Callable[[str], str] = str
) -> tuple[list[Retrieved], list[Retrieved]]:
    """What of the experiences fits, and what is dropped: the least similar first, and whole items only.

    Args:
        found: most similar first.
        budget: tokens for all cases together; None: no bound.
        tool_name: as for `render_experiences`.
    """
    kept = list(found)
    if budget is None:
        return kept, []
    sizes = [tokens(render_case([hit.item], tool_name)) for hit in kept]
    while kept and sum(sizes[: len(kept)]) > budget:
        kept.pop()
    return kept, list(found[len(kept) :])
