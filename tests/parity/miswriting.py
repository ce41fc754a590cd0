"""Damage to how an answer is written: text, JSON, and prompting mode's call syntax."""

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random

from kate_eval.bfcl.data import Entry

from .cases import Response
from .kinds import script_kind

Script = list[Response]


def pick(script: Script, rng: Random) -> int | None:
    """The index of some answer that makes calls."""
    found = [index for index, r in enumerate(script) if r.calls or (r.text or "").startswith("[")]
    return rng.choice(found) if found else None


def rewrite(script: Script, rng: Random, change: Callable[[str], str]) -> Script | None:
    """Change one answer's call text: in prompting mode all of it, else one call's raw arguments."""
    index = pick(script, rng)
    if index is None:
        return None
    chosen = script[index]
    if chosen.calls:
        at = rng.randrange(len(chosen.calls))
        calls = list(chosen.calls)
        calls[at] = (calls[at][0], change(calls[at][1]))
        script[index] = replace(chosen, calls=tuple(calls))
    else:
        script[index] = replace(chosen, text=change(chosen.text or ""))
    return script


def _prompt(name: str, change: Callable[[str, Random], str]) -> None:
    def damage(script: Script, entry: Entry, rng: Random) -> Script | None:
        return rewrite(script, rng, lambda text: change(text, rng))

    damage.__name__ = name
    script_kind("prompt")(damage)


def _fc(name: str, change: Callable[[str, Random], str]) -> None:
    def damage(script: Script, entry: Entry, rng: Random) -> Script | None:
        return rewrite(script, rng, lambda text: change(text, rng))

    damage.__name__ = name
    script_kind("fc")(damage)


@script_kind("fc", "prompt")
def text_only(script: Script, entry: Entry, rng: Random) -> Script | None:
    return [
        Response(rng.choice(("I can't do that.", "Sorry, what do you mean?", "Done (all of it).")))
        for _ in script
    ]


@script_kind("fc", "prompt")
def empty_answer(script: Script, entry: Entry, rng: Random) -> Script | None:
    index = pick(script, rng)
    if index is None:
        return None
    script[index] = rng.choice((Response(""), Response("", ()), Response(None, ()), Response("[]")))
    return script


@script_kind("fc")
def text_beside_calls(script: Script, entry: Entry, rng: Random) -> Script | None:
    return [replace(r, text="Let me see: f(x).") if r.calls else r for r in script]


@script_kind("fc")
def malformed_beside_good(script: Script, entry: Entry, rng: Random) -> Script | None:
    """A call with broken JSON beside the good ones of a step."""
    index = pick(script, rng)
    if index is None:
        return None
    calls = list(script[index].calls or ())
    broken = rng.choice(('{"a": 1', "{'a': 1}", '{"a": }', "{a: 1}", '{"a": "line\nbreak"}', '{"a": 1,}'))
    calls.insert(rng.randint(0, len(calls)), (calls[0][0], broken))
    script[index] = replace(script[index], calls=tuple(calls))
    return script


@script_kind("fc")
def dots_kept(script: Script, entry: Entry, rng: Random) -> Script | None:
    """Function calling with the documented dotted names, where underscores were offered."""
    dotted = {doc["name"].replace(".", "_"): doc["name"] for doc in entry.functions if "." in doc["name"]}
    if not dotted:
        return None
    renamed = [tuple((dotted.get(name, name), text) for name, text in r.calls or ()) for r in script]
    return [replace(r, calls=calls) if calls else r for r, calls in zip(script, renamed, strict=True)]


def _broken_json(text: str, rng: Random) -> str:
    return rng.choice((text[:-1], text + "}", text.replace('"', "'") + ",", "{" + text, text + " // done"))


def _as_text_argument(text: str, rng: Random) -> str:
    key = json.dumps(rng.choice(("class", "a b", "1x", "", "x-y", "é")))
    return text[:-1] + (", " if len(text) > 2 else "") + f'{key}: "x"}}'


def _injected_key(text: str, rng: Random) -> str:
    """An argument name that ends the call and starts another: the official side evaluates it."""
    key = rng.choice(("x=1, y", "x=1) or dict(y", "**{}, y", "*(), y"))
    return text[:-1] + (", " if len(text) > 2 else "") + f'"{key}": "x"}}'


def _not_finite(text: str, rng: Random) -> str:
    value = rng.choice(("NaN", "Infinity", "-Infinity", "1e999", "-1e999"))
    try:
        arguments = json.loads(text)
    except ValueError:
        return text
    if not arguments:
        return f'{{"value": {value}}}'
    name = rng.choice(list(arguments))
    shown = rng.choice((f"{value}", f"[{value}]", f'{{"a": {value}}}'))
    rest = {k: v for k, v in arguments.items() if k != name}
    return json.dumps(rest)[:-1] + (", " if rest else "") + f"{json.dumps(name)}: {shown}}}"


def _repeated_key(text: str, rng: Random) -> str:
    return '{"value": 1, "value": 2' + (", " if len(text) > 2 else "") + text[1:]


_fc("broken_json", _broken_json)
_fc("trailing_quotes", lambda text, rng: text + rng.choice(('"', '""', ' "')))
_fc(
    "arguments_no_object",
    lambda text, rng: rng.choice(("[1]", '"x"', "null", "7", "true", "", " ", "x", "[]")),
)
_fc("argument_name_invalid", _as_text_argument)
_fc("argument_name_hostile", _injected_key)
_fc("argument_not_finite", _not_finite)
_fc("argument_name_repeated", _repeated_key)
_fc("number_huge", lambda text, rng: '{"value": ' + "1" * 5000 + (", " if len(text) > 2 else "") + text[1:])
_fc("escaped_json", lambda text, rng: "".join(f"\\u{ord(c):04x}" if c > "~" else c for c in text) + "\n")
_fc("deeply_nested", lambda text, rng: '{"value": ' + "[" * 40 + "]" * 40 + "}")


def _in_first_call(text: str, argument: str) -> str:
    """Put something in front of the first call's arguments."""
    head, _, tail = text.partition("(")
    return f"{head}({argument}{'' if tail.startswith(')') else ', '}{tail}"


_NESTED = (
    "pwd()",
    "ls(a=True)",
    "mean(numbers=[1, 2])",
    "f(g(1))",
    "{'f': {'x': 1}}",
    "{'f': {'x': {'y': {'z': 1}}}}",
)
_ARITHMETIC = (
    *("2 + 3", "-(2)", "10 / 4", "7 // 2", "2 ** 10", "3 - -3", "(1 + 2) * 3", "1 << 3", "5 % 3", "6 | 1"),
    *("'a' + 'b'", "'-' * 3", "'%s' % 'x'", "[1] + [2]", "[0] * 3", "1 / 0", "~5", "+5", "not 1", "1 + 1j"),
    *("x + 1", "1 + None", "len('abc') + 1", "{1: 2} | {3: 4}", "b'a' + b'b'", "(1,) + (2,)"),
)
_ODD = (
    *(
        "f'{1}'",
        "lambda: 1",
        "{1, 2}",
        "x if y else z",
        "a.b",
        "a[0]",
        "a[1:2]",
        "...",
        "b'x'",
        "x == 1",
        "1 < 2",
    ),
    *(
        "*a",
        "None",
        "(1, 2)",
        "()",
        "{}",
        "{'a': {}}",
        "{1: 2}",
        "-x",
        "-'a'",
        "True and False",
        "'a' 'b'",
        "1_000",
    ),
    *(
        "[x for x in y]",
        "{**a}",
        "x := 1",
        "(yield)",
        "'''three'''",
        "r'\\d'",
        "0x10",
        "1e999",
        "datetime.now()",
    ),
)

_prompt("fenced", lambda text, rng: rng.choice((f"```\n{text}\n```", f"```python\n{text}\n```", f"`{text}`")))
_prompt(
    "spaces_around", lambda text, rng: rng.choice((f"  {text}\n\n", f"\t{text}", f"{text} \n", f"\n{text}"))
)
_prompt("quoted_whole", lambda text, rng: rng.choice((f"'{text}'", f'"{text}"', f"''{text}''")))
_prompt(
    "prose_around", lambda text, rng: rng.choice((f"Sure: {text}", f"{text}\nDone.", f"I will call {text}."))
)
_prompt("brackets_missing", lambda text, rng: rng.choice((text[1:-1], text[1:], text[:-1], f"[{text}]")))
_prompt("separators_odd", lambda text, rng: text.replace("), ", rng.choice((") ", "); ", "),\n", ")\n"))))
_prompt("positional", lambda text, rng: _in_first_call(text, rng.choice(("1", "'x'", "'x', 2", "*a", "**a"))))
_prompt("nested_call", lambda text, rng: _in_first_call(text, f"value={rng.choice(_NESTED)}"))
_prompt("nested_for_argument", lambda text, rng: _first_value(text, rng.choice(_NESTED)))
_prompt("arithmetic", lambda text, rng: _first_value(text, rng.choice(_ARITHMETIC)))
_prompt("odd_syntax", lambda text, rng: _first_value(text, rng.choice(_ODD)))
_prompt(
    "variable", lambda text, rng: _first_value(text, rng.choice(("x", "true", "null", "current_dir", "True")))
)
_prompt(
    "keyword_for_name", lambda text, rng: _in_first_call(text, rng.choice(("class=1", "x=1, x=2", "é=1")))
)
_prompt(
    "not_calls",
    lambda text, rng: rng.choice(("[1, 2]", "['a']", "[]", "[[]]", "{}", "[f]", "None", "[f()()]")),
)
_prompt(
    "name_expression",
    lambda text, rng: "[" + rng.choice(("a().b", "(f)", "f[0]", "'f'", "a.b.c")) + text[text.find("(") :],
)


def _first_value(text: str, value: str) -> str:
    """Replace the first argument's value (up to the next comma or bracket), or add one."""
    head, equals, tail = text.partition("=")
    if not equals:
        return _in_first_call(text, f"value={value}")
    end = min((tail.find(c) for c in ",)" if c in tail), default=len(tail))
    return f"{head}={value}{tail[end:]}"
