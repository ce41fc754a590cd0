"""Reads values that a model wrote: JSON, Python literals, and what models make of both. Data only.

Beyond JSON: single quotes, trailing commas, True/False/None, tuples (as lists). Nothing is guessed: what is
cut off, ambiguous or over a bound is Unreadable. Reading is linear in the text.
"""

import json
import math
import re
from typing import Any

MAX_DEPTH = 100
"""Levels of nesting; Inspect has the same bound for arguments of calls that a server parsed."""
MAX_VALUES = 20_000
"""Values in a message, a hundred characters or blanks counted as one more."""

_SPACE = re.compile(r"\s*+")
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|' + r"'[^'\\]*+(?:\\.[^'\\]*+)*+'", re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(\.[0-9]++)?([eE][+-]?[0-9]++)?(?![\w.])")
_WORD = re.compile(r"[A-Za-z_]\w*+")
_CONSTANTS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", "\\": "\\", '"': '"', "'": "'"}
_AMBIGUOUS = frozenset("uxUNav01234567\n")
"""After a backslash: incomplete, or read differently by JSON and Python. Others stay as written (`\\d`)."""


class Unreadable(ValueError):
    """The text is not, or not wholly, what it set out to be."""


class Spent(Unreadable):
    """As much as a message may hold has been read."""


class Budget:
    """How much may still be read in a message, whatever is tried on it."""

    def __init__(self, values: int = MAX_VALUES) -> None:
        self._left = values

    def spend(self, characters: int) -> None:
        """Count one value of so many characters.

        Raises:
            Spent: there is no more of it.
        """
        self._left -= 1 + characters // 100
        if self._left < 0:
            raise Spent("too much to read")


class Reader:
    """A place in a text, and what can be read from there on."""

    def __init__(self, text: str, budget: Budget, at: int = 0) -> None:
        self.text = text
        self.budget = budget
        self.at = at
        self.left_open = False
        """Whether the object read last was left without its closing brace."""

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Take the pattern here, if it is here."""
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.budget.spend(len(found[0]))
            self.at = found.end()
        return found

    def next(self) -> str:
        """The next character that is no blank, not taken; "" at the end."""
        self.match(_SPACE)
        return self.text[self.at : self.at + 1]

    def take(self, character: str) -> bool:
        """Take the next character that is no blank, if it is this one."""
        found = self.next() == character
        self.at += found
        return found

    def expect(self, character: str) -> None:
        """Take the next character.

        Raises:
            Unreadable: it is another one.
        """
        if not self.take(character):
            raise Unreadable(f"no {character!r} at {self.at}")

    def value(self, depth: int = 0) -> Any:
        """The value that begins here.

        Raises:
            Unreadable: there is none, or not all of it.
        """
        if depth > MAX_DEPTH:
            raise Unreadable(f"nested more than {MAX_DEPTH} levels deep")
        match self.next():
            case "{":
                return self.mapping(depth)
            case "[":
                return self._items("]", depth)[0]
            case "(":
                items, commas = self._items(")", depth)
                return items if commas or not items else items[0]
            case '"' | "'":
                return self._string()
        return self._number() if self.next() in "-0123456789" else self._constant()

    def mapping(self, depth: int = 0, open_end: re.Pattern[str] | None = None) -> dict[str, Any]:
        """The object that begins here.

        Args:
            depth: its own.
            open_end: what may stand in the place of its closing brace, which is then not taken.

        Raises:
            Unreadable: there is none, or not all of it.
        """
        self.expect("{")
        self.left_open = False
        found: dict[str, Any] = {}
        while not self.take("}"):
            if self.next() not in ('"', "'"):
                raise Unreadable("a key is no string")
            key = self._string()
            self.expect(":")
            found[key] = self.value(depth + 1)
            if not self.take(","):
                self.left_open = open_end is not None and bool(open_end.match(self.text, self.at))
                if not self.left_open:
                    self.expect("}")
                break
        return found

    def _items(self, end: str, depth: int) -> tuple[list[Any], int]:
        """What stands between brackets, and how many commas do."""
        self.at += 1
        found: list[Any] = []
        commas = 0
        while not self.take(end):
            found.append(self.value(depth + 1))
            if not self.take(","):
                self.expect(end)
                break
            commas += 1
        return found, commas

    def _string(self) -> str:
        found = self.match(_STRING)
        if found is None:
            raise Unreadable("a string has no end")
        return unquoted(found[0])

    def _number(self) -> int | float:
        found = self.match(_NUMBER)
        if found is None:
            raise Unreadable("not a number")
        try:
            if not (found[1] or found[2]):
                return int(found[0])
            number = float(found[0])
            if not math.isfinite(number):
                raise Unreadable("a number beyond any that JSON holds")
            return number
        except ValueError as ex:  # CPython reads integers of at most 4,300 digits
            raise Unreadable(str(ex)) from ex

    def _constant(self) -> bool | None:
        found = self.match(_WORD)
        if found is None or found[0] not in _CONSTANTS:
            raise Unreadable("not a value")
        return _CONSTANTS[found[0]]


def unquoted(token: str) -> str:
    """The text of a quoted string: JSON's where it is JSON, else with Python's escapes.

    Raises:
        Unreadable: an escape is incomplete or ambiguous.
    """
    if token[0] == '"':
        try:
            text: str = json.loads(token, strict=False)
            return _whole(text)
        except ValueError:
            pass  # an escape that JSON doesn't have
    if "\\" not in token:
        return token[1:-1]
    text = _ESCAPE.sub(_unescaped, token[1:-1])
    try:
        # Two halves of a character become one.
        return _whole(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le"))
    except UnicodeDecodeError as ex:
        raise Unreadable("half a character") from ex


def _whole(text: str) -> str:
    """The text, if it can be written as UTF-8: a log can hold no other."""
    try:
        text.encode()
    except UnicodeEncodeError as ex:
        raise Unreadable("half a character") from ex
    return text


def _unescaped(found: re.Match[str]) -> str:
    short, byte, long, other = found.groups()
    if other is None:
        code = int(short or byte or long, 16)
        if code > 0x10FFFF:
            raise Unreadable("no such character")
        return chr(code)
    if other in _AMBIGUOUS:
        raise Unreadable(f"an ambiguous escape: {found[0]!r}")
    return _ESCAPED.get(other, found[0])
