"""Which dialect a model's result files are in: by their content, else the folder's name; else it is asked."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from kate_eval.bfcl import data
from kate_eval.bfcl.categories import Mode, is_multi_turn
from kate_eval.bfcl.dialect import Dialect
from kate_eval.bfcl.interchange.dialects import DIALECTS, LISTS, PROMPTING
from kate_eval.bfcl.interchange.registered import Registered
from kate_eval.errors import ConfigurationError, DatasetError

_PYTHON = re.compile(r"[`\s]*\[\s*[A-Za-z_][\w.]*\(")
_JSON_CALL = re.compile(r'(?:<\|python_tag\|>)?(?:\[\s*)?\{\s*"name"\s*:')
_REMEDY = "Say which: --mode fc or --mode prompt"


@dataclass
class Evidence:
    """What a model's answers look like.

    Attributes:
        forms: dialect -> answers that look like it; answers without calls are not counted.
        names: "dotted" or "underscored" -> calls of functions with dots in their names.
    """

    forms: Counter[str] = field(default_factory=Counter)
    names: Counter[str] = field(default_factory=Counter)

    def add(self, entry_id: str, category: str, result: Any) -> None:
        """Look at one entry's result."""
        for response in _responses(category, result):
            form = _form(response)
            if form is not None:
                self.forms[form] += 1
            if form in LISTS and not is_multi_turn(category):
                self._look_at_names(entry_id, _names(response))

    def _look_at_names(self, entry_id: str, names: Iterable[Any]) -> None:
        try:
            functions = data.load_entry(entry_id).functions
        except DatasetError:
            return
        dotted = {doc["name"] for doc in functions if "." in doc["name"]}
        underscored = {name.replace(".", "_") for name in dotted}
        for name in names:
            if isinstance(name, str) and (name in dotted or name in underscored):
                self.names["dotted" if name in dotted else "underscored"] += 1


def _responses(category: str, result: Any) -> Iterator[Any]:
    if not is_multi_turn(category):
        yield result
    elif isinstance(result, list):
        yield from (step for turn in result if isinstance(turn, list) for step in turn)


def _form(response: Any) -> str | None:
    if isinstance(response, str):
        return _form_of_text(response)
    if not isinstance(response, list) or not response or not isinstance(response[0], dict):
        return None
    keys = response[0].keys()
    if {"tool_name", "parameters"} <= keys:
        return "tool_name"
    if {"name", "arguments"} <= keys:
        return "named"
    value = next(iter(response[0].values()), None)
    return "objects" if isinstance(value, dict) else "fc" if isinstance(value, str) else None


def _form_of_text(text: str) -> str | None:
    if "<tool_call>\n" in text:
        return "tagged"
    if _PYTHON.match(text):
        return "prompt"
    if _JSON_CALL.match(text.strip("`\n ")):
        return "json_parameters" if '"parameters"' in text else "json_fenced"
    return None


def _names(response: Any) -> Iterator[Any]:
    for item in response if isinstance(response, list) else ():
        if isinstance(item, dict):
            yield item.get("tool_name", item.get("name")) if len(item) > 1 else next(iter(item), None)


def choose_dialect(evidence: Evidence, model: Registered | None, mode: Mode | None) -> Dialect:
    """The dialect to read a model's answers in.

    Lists of calls decide by themselves, since no prompting model's handler writes them. Texts are read as the
    official tool reads them for the model whose folder they are in, and only without one by their looks.

    Raises:
        ConfigurationError: the content and the name leave it open.
    """
    name = _name(evidence, model, mode)
    dialect = DIALECTS[name]
    if model is not None and model.dialect == name:
        return replace(dialect, dotted=model.dotted)
    if evidence.names and name not in PROMPTING:
        return replace(dialect, dotted=evidence.names["dotted"] > evidence.names["underscored"])
    return dialect


def _name(evidence: Evidence, model: Registered | None, mode: Mode | None) -> str:
    lists = Counter({name: evidence.forms[name] for name in LISTS if evidence.forms[name]})
    texts = Counter({name: count for name, count in evidence.forms.items() if name not in LISTS})
    known = model.dialect if model is not None else None
    if mode == "prompt":
        return known if known in PROMPTING else "prompt"
    if lists:
        return lists.most_common(1)[0][0]
    if mode == "fc":
        called = [name for name, _ in texts.most_common() if name not in PROMPTING]
        return known if known and known not in PROMPTING else called[0] if called else "fc"
    if known is not None:
        return known
    if model is not None:
        raise ConfigurationError(
            f"Officially {model.name} is read by {model.handler}, whose answers can't be read here. "
            f"{_REMEDY}, which reads them otherwise"
        )
    if len(texts) == 1:
        return next(iter(texts))
    seen = ", ".join(f"{count} {DIALECTS[name].name}" for name, count in texts.most_common())
    raise ConfigurationError(
        "The answers may be of a function-calling or of a prompting model "
        f"({seen or 'none holds a call'}). {_REMEDY}"
    )
