"""From the text of an answer to the calls in it, the thinking, and the text around both.

Calls are found by their marks, wherever these stand outside of thinking. Without a mark, an object with a
tool's name and arguments is a call if it stands on lines of its own and ends the message; a Python call only
if it is the whole message. One call that can't be read voids them all, as in the official handlers.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from kate_eval.episode import Call
from kate_eval.recovery.forms import begins, read_calls
from kate_eval.recovery.offered import Offered
from kate_eval.recovery.reader import Budget, Reader, Unreadable

MAX_TEXT = 200_000
"""Characters; longer texts are not searched for calls. BFCL's decoder of calls in text has the same bound."""

_MARK = re.compile(
    r"(?P<thought></think(?:ing)?>|\[/THINK\])"
    r"|(?P<thinking><think(?:ing)?>|\[THINK\])"
    r"|(?P<call><tool_call>|<\|tool_call\|>|<function_call>|<\|python_(?:tag|start)\|>|\[TOOL_CALLS\]"
    r"|<｜tool▁call▁begin｜>|(?=<function=))"
)
_THOUGHT = re.compile(r"</think(?:ing)?>|\[/THINK\]")
_CLOSED = re.compile(
    r"(?:\s*+(?:</(?:tool_call|function_call|function)>|<\|/tool_call\|>|<\|python_end\|>|<｜tool▁calls?▁end｜>"
    r"|<\|(?:eom_id|eot_id|im_end)\|>|</s>|<｜end▁of▁sentence｜>))++"
)
_LEFT_OVER = re.compile(r"```[A-Za-z_]*+\s*+```|<｜tool▁calls▁begin｜>|<｜tool▁calls▁end｜>")
_OWN_LINE = re.compile(r"^[ \t]*+(?:```[A-Za-z_]*+\s*+)?+(?=\{|\[\s*+\{)", re.MULTILINE)


@dataclass(frozen=True)
class Found:
    """What a text holds.

    Attributes:
        calls: in their order, at least one.
        text: what stands around calls and thinking.
        thoughts: what stands in thinking.
        mark: what the calls were found by; "" where they had no mark.
    """

    calls: tuple[Call, ...]
    text: str
    thoughts: tuple[str, ...]
    mark: str


def find_calls(text: str, offered: Offered) -> Found | None:
    """The calls that a text holds; None where it holds none that can be read. Never raises."""
    if len(text) > MAX_TEXT:
        return None
    budget = Budget()
    try:
        whole = _unmarked(text, [0], offered, budget)
        if whole is not None:
            return whole
        scan = _Scan(Reader(text, budget), offered)
        scan.run()
        if scan.calls or scan.failed:
            return scan.found() if scan.calls else None
        rest = "".join(scan.kept).strip()
        starts = [0, *(line.start() for line in _OWN_LINE.finditer(rest))]
        found = _unmarked(rest, starts, offered, budget)
        return replace(found, thoughts=scan.thinking()) if found else None
    except Unreadable:
        return None


def is_marked(text: str) -> bool:
    """Whether a text set out to be calls by their mark, outside of thinking, read or not. Never raises."""
    said = _THOUGHT.split(text[:MAX_TEXT])[-1]
    return any(mark["call"] is not None for mark in _MARK.finditer(said))


def _unmarked(text: str, starts: Iterable[int], offered: Offered, budget: Budget) -> Found | None:
    """Calls without marks, from the first of the starts from which on there is nothing else."""
    for start in starts:
        reader = Reader(text, budget, start)
        if not begins(reader):
            continue
        try:
            calls = read_calls(reader, offered, marked=False)
        except Unreadable:
            continue
        reader.match(_CLOSED)
        if not reader.next():
            return Found(tuple(calls), text[:start].strip(), (), "")
    return None


class _Scan:
    """One pass over a text, from mark to mark."""

    def __init__(self, reader: Reader, offered: Offered) -> None:
        self.reader = reader
        self.calls: list[Call] = []
        self.kept: list[str] = []
        self.failed = False
        self._thoughts: list[str] = []
        self._offered = offered
        self._mark = ""
        self._fences = 0
        self._quoted = False

    def run(self) -> None:
        """Read the whole text.

        Raises:
            Unreadable: the marked calls are an example in a reply.
        """
        reader = self.reader
        while (mark := _MARK.search(reader.text, reader.at)) is not None:
            start, reader.at = reader.at, mark.end()
            if mark["thought"]:
                self._all_was_thinking(mark.start())
            elif mark["thinking"]:
                self._keep(reader.text[start : mark.start()])
                self._think()
            elif self.failed or not self._take_calls(mark, start):
                # No call: it is text like other text. A mark of no width must not be found again.
                reader.at = max(mark.end(), mark.start() + 1)
                self._keep(reader.text[start : reader.at])
        rest = reader.text[reader.at :]
        if self._quoted and rest.strip("`\n "):
            raise Unreadable("the calls stand in a block of code, and the reply goes on after it")
        self._keep(rest)

    def found(self) -> Found:
        """What was found."""
        text = _LEFT_OVER.sub("", "".join(self.kept)).strip()
        return Found(tuple(self.calls), text, self.thinking(), self._mark)

    def thinking(self) -> tuple[str, ...]:
        """The thinking that was found."""
        return tuple(thought for thought in (text.strip() for text in self._thoughts) if thought)

    def _all_was_thinking(self, end: int) -> None:
        """An end of thinking whose beginning stood in the prompt: everything before it was thinking."""
        self._thoughts = [self.reader.text[:end]]
        self.calls, self.kept, self.failed, self._fences, self._quoted = [], [], False, 0, False

    def _keep(self, text: str) -> None:
        self.kept.append(text)
        self._fences += text.count("```")

    def _think(self) -> None:
        end = _THOUGHT.search(self.reader.text, self.reader.at)
        stop = end.start() if end else len(self.reader.text)
        self._thoughts.append(self.reader.text[self.reader.at : stop])
        self.reader.at = end.end() if end else stop

    def _take_calls(self, mark: re.Match[str], start: int) -> bool:
        """Read the calls at a mark; False where none begin, or can't be read."""
        reader = self.reader
        before = reader.text[start : mark.start()]
        if (before.endswith("`") and not before.endswith("```")) or not begins(reader):
            return False
        try:
            calls = read_calls(reader, self._offered, marked=True)
        except Unreadable:
            self.failed, self.calls = True, []
            return False
        reader.match(_CLOSED)
        self.calls += calls
        self._keep(before)
        self._mark = self._mark or mark[0] or "<function="
        self._quoted = self._quoted or self._fences % 2 == 1
        return True
