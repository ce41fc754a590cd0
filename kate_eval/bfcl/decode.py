"""From what a model wrote to calls, as bfcl-eval decodes it, without evaluating anything.

Source: bfcl-eval 2026.3.23: OpenAI handler (function calling) and `model_handler/utils.py`
(prompting). Departures: arithmetic in arguments is computed from literals only, where the official
decoder runs `eval()` on it; text over MAX_TEXT characters does not decode.
"""

import ast
import json
import operator
import re
from collections.abc import Callable
from typing import Any

from kate_eval.bfcl import engine
from kate_eval.bfcl.dialect import Decoded, Language
from kate_eval.episode import Call

MAX_TEXT = 200_000
MAX_BITS = 14_000
"""Of an integer; just under CPython's limit of 4,300 digits."""
MAX_REPEATED = 10_000
MAX_VALUES = 100_000
"""Values in an answer's arguments, each occurrence of a repeated one counted."""


class DecodeError(ValueError):
    """What the model wrote is not a list of calls."""


def decode_fc(response: object) -> Decoded:
    """Decode function-calling output as it stands in result files: [{name: arguments JSON}, ...].

    Raises:
        DecodeError: it is text, or an argument is no JSON object. One bad call voids them all.
    """
    if not isinstance(response, list):
        raise DecodeError("the answer has no tool calls")
    decoded: Decoded = []
    for call in response:
        [(name, text)] = call.items()
        try:
            arguments = json.loads(text)
        except (ValueError, RecursionError) as ex:
            raise DecodeError(f"arguments of {name!r} are no JSON: {ex}") from ex
        if not isinstance(arguments, dict):
            raise DecodeError(f"arguments of {name!r} are no JSON object")
        decoded.append({name: arguments})
    return decoded


def decode_prompt(text: object, language: Language) -> Decoded:
    """Decode prompting-mode output: "[f(x=1), g(y='a')]".

    Raises:
        DecodeError: the text is not a list of calls in the language's syntax.
    """
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise DecodeError(f"the answer is no text of at most {MAX_TEXT} characters")
    text = text.strip("`\n ")
    text = text if text.startswith("[") else "[" + text
    text = text if text.endswith("]") else text + "]"
    try:
        if language == "java":
            return _checked(engine.official().parse_java(text[1:-1]))
        if language == "javascript":
            return _checked(engine.official().parse_javascript(text[1:-1]))
        decoded = _decode_python(text)
        _require_small(decoded)
        return decoded
    except DecodeError:
        raise
    except Exception as ex:  # the parsers' own errors are many; all mean: not a call
        raise DecodeError(f"not a list of calls: {type(ex).__name__}: {ex}") from ex


def _require_small(decoded: Decoded) -> None:
    """Refuse what repetition has blown up: [[[0] * 999] * 999] * 999 is small only until it is read."""
    left = MAX_VALUES
    stack: list[Any] = [decoded]
    while stack:
        value = stack.pop()
        left -= 1 + (len(value) // 100 if isinstance(value, str | bytes) else 0)
        if left < 0:
            raise DecodeError(f"the arguments hold more than {MAX_VALUES} values")
        if isinstance(value, dict):
            stack.extend(value.keys())
            stack.extend(value.values())
        elif isinstance(value, list | tuple):
            stack.extend(value)


def _checked(decoded: Any) -> Decoded:
    # The official parsers return None or {} for text without a call; both fail later as "no calls".
    return decoded if isinstance(decoded, list) else []


def _decode_python(text: str) -> Decoded:
    body = ast.parse(text.strip().strip("'"), mode="eval").body
    elements = getattr(body, "elts", None)
    if isinstance(body, ast.Call):
        elements = [body]
    if elements is None:
        raise DecodeError("not a list of calls")
    decoded = []
    for element in elements:
        if not isinstance(element, ast.Call):
            raise DecodeError(f"{ast.unparse(element)[:80]!r} is not a call")
        decoded.append(_call(element))
    return decoded


def _call(node: ast.Call) -> dict[str, Any]:
    """{name: keyword arguments}; positional arguments are dropped, as the official decoder does."""
    parts: list[str] = []
    target: ast.expr = node.func
    while isinstance(target, ast.Attribute):
        parts.append(target.attr)
        target = target.value
    if isinstance(target, ast.Name):
        parts.append(target.id)
    name = ".".join(reversed(parts))
    return {name: {keyword.arg: _value(keyword.value) for keyword in node.keywords}}


def _value(node: ast.expr | None) -> Any:
    match node:
        case ast.Constant():
            return "..." if node.value is Ellipsis else node.value
        case ast.UnaryOp(operand=ast.Constant(value=int() | float() | complex() as number)):
            return -number  # the official decoder negates for every unary operator
        case ast.List():
            return [_value(item) for item in node.elts]
        case ast.Tuple():
            return tuple(_value(item) for item in node.elts)
        case ast.Dict():
            return {_value(key): _value(item) for key, item in zip(node.keys, node.values, strict=True)}
        case ast.BinOp():
            return _arithmetic(node)
        case ast.Name():
            return node.id
        case ast.Call(keywords=[]):
            return ast.unparse(node)
        case ast.Call():
            return _call(node)
        case ast.Subscript():
            return f"{ast.unparse(node.value)}[{ast.unparse(node.slice)}]"
    raise DecodeError(f"unsupported argument: {type(node).__name__}")


_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.BitAnd: operator.and_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}


def _arithmetic(node: ast.expr | None) -> Any:
    """Compute an expression of literals. What Python refuses (1 + 'a') raises Python's own error.

    Raises:
        DecodeError: it holds a name or a call, or its value could be very large.
    """
    match node:
        case ast.Constant():
            return node.value
        case ast.List():
            return [_arithmetic(item) for item in node.elts]
        case ast.Tuple():
            return tuple(_arithmetic(item) for item in node.elts)
        case ast.Dict():
            pairs = zip(node.keys, node.values, strict=True)
            return {_arithmetic(key): _arithmetic(item) for key, item in pairs}
        case ast.UnaryOp():
            return _OPERATORS[type(node.op)](_arithmetic(node.operand))
        case ast.BinOp() if type(node.op) in _OPERATORS:
            left, right = _arithmetic(node.left), _arithmetic(node.right)
            if _could_be_large(node.op, left, right):
                raise DecodeError("the value of an argument's arithmetic is too large")
            return _OPERATORS[type(node.op)](left, right)
    raise DecodeError("arithmetic in an argument may only hold literals")


def _could_be_large(op: ast.operator, left: Any, right: Any) -> bool:
    match op, left, right:
        case ast.Pow(), int(), int():
            return left.bit_length() * abs(right) > MAX_BITS
        case ast.LShift(), int(), int():
            return left.bit_length() + right > MAX_BITS
        case ast.Mult(), int(), int():
            return left.bit_length() + right.bit_length() > MAX_BITS
        case (ast.Mult(), str() | bytes() | list() | tuple() as text, int() as times) | (
            ast.Mult(),
            int() as times,
            str() | bytes() | list() | tuple() as text,
        ):
            return len(text) * times > MAX_REPEATED
        case ast.Add(), str() | bytes() | list() | tuple(), str() | bytes() | list() | tuple():
            return len(left) + len(right) > MAX_TEXT
        case ast.Mod(), str() | bytes(), _:  # a format may ask for any width
            return len(left) > MAX_REPEATED or re.search(r"\d{4}|\*", str(left)) is not None
    return False


def executable_calls(decoded: Decoded) -> list[Call]:
    """Decoded prompting-mode output as calls to execute; nested calls become Call arguments.

    Raises:
        DecodeError: an argument is an empty dictionary (the official conversion fails on it too).
    """
    return [
        Call(name, {key: _argument(value) for key, value in arguments.items()})
        for item in decoded
        for name, arguments in item.items()
    ]


def _argument(value: Any) -> Any:
    """An argument as the official conversion to call strings has it: {f: {..}} is a nested call."""
    if not isinstance(value, dict):
        return value
    if not value:
        raise DecodeError("an argument is an empty dictionary")
    if all(isinstance(item, dict) for item in value.values()):
        name, arguments = next(iter(value.items()))
        return Call(str(name), {key: _argument(item) for key, item in arguments.items()})
    return {str(key): _argument(item) for key, item in value.items()}
