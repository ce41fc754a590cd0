"""From what a model wrote to a code block: data, never run in this process.

A block is the first fenced one, or the whole answer where it is bare code. Thinking is removed; what comes
after the first block is dropped, because models go on to make up its output.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from kate_eval.episode import Call

TOOL = "python"
"""Name of the one tool: critics and logs show a code block as a call of it."""
MAX_CODE = 100_000
"""Characters; longer blocks are refused."""
_THINK = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_THOUGHT = re.compile(r"\A.*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
"""Thinking whose opening tag stands in the prompt, as some chat templates have it."""
_INLINE = re.compile(r"```(?:python|py)?+[ \t]*+([^`\n]++)```")
_PYTHON = ("", "python", "python3", "py")
"""First words after a fence that opens a block of ours; other languages' blocks are passed over."""
_CODE = re.compile(r"\bapis\.|\bprint\(|^\s*(?:import|from|for|while|def|if)\b|^\s*\w+ *=", re.MULTILINE)


@dataclass(frozen=True)
class CodeBlock(Call):
    """A block of code as a call; equal blocks are those with the same syntax tree."""

    @property
    def code(self) -> str:
        """The block."""
        return str(self.arguments["code"])

    @property
    def key(self) -> str:
        """The code without comments, blank lines and layout; its text where it doesn't parse."""
        return f"{TOOL}({normal_form(self.code)})"

    @property
    def text(self) -> str:
        """The block, fenced."""
        return f"```python\n{self.code}\n```"


def code_block(code: str) -> CodeBlock:
    """A call that runs this code."""
    return CodeBlock(TOOL, {"code": code})


@dataclass(frozen=True)
class Written:
    """An answer taken apart.

    Attributes:
        thought: what was said before the block.
        code: the block; None if there is none.
        error: why there is none.
    """

    thought: str
    code: str | None
    error: str | None = None


def read(text: str) -> Written:
    """Take a model's answer apart. Never raises."""
    said = _without_thinking(text)
    block = next(_blocks(said), None)
    inline = _INLINE.search(said) if block is None else None
    if block is not None:
        thought, code = block
    elif inline:
        thought, code = said[: inline.start()].strip(), inline[1]
    elif _is_bare_code(said):
        code, thought = said, ""
    else:
        return Written(said, None, "the answer holds no code block")
    if not code.strip():
        return Written(thought, None, "the code block is empty")
    if len(code) > MAX_CODE:
        return Written(thought, None, f"the code block has over {MAX_CODE} characters")
    return Written(thought, code)


def _is_bare_code(text: str) -> bool:
    """Whether a text without fences is Python that does something, and no prose that happens to parse."""
    return len(text) <= MAX_CODE and bool(_CODE.search(text)) and _parsed(text) is not None


def normal_form(code: str) -> str:
    """The code's canonical text, from its syntax tree."""
    tree = _parsed(code)
    if tree is None:
        return "\n".join(line.strip() for line in code.splitlines() if line.strip())
    try:
        return ast.unparse(tree)
    except (RecursionError, ValueError):
        return code


def _parsed(code: str) -> ast.Module | None:
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def all_blocks(text: str) -> list[str]:
    """All fenced blocks of a text, thinking removed."""
    found = (code for _, code in _blocks(_without_thinking(text)))
    return [code for code in found if code.strip() and len(code) <= MAX_CODE]


def _without_thinking(text: str) -> str:
    return _THOUGHT.sub("", _THINK.sub("", text)).strip()


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """The fenced blocks of Python with what stands before each; the last one may be unclosed."""
    before: list[str] = []
    inside: list[str] = []
    language: str | None = None  # of the block under way
    for line in text.split("\n"):
        mark = line.strip()
        fence = mark.startswith("```") and "```" not in mark[3:]
        if language is None and fence:
            language = (mark[3:].split() or [""])[0].lower()
        elif language is not None and mark == "```":
            if language in _PYTHON:
                yield "\n".join(before).strip(), "\n".join(inside).strip("\n")
            before += ["```" + language, *inside, "```"]
            inside, language = [], None
        else:
            (before if language is None else inside).append(line)
    if language is not None and language in _PYTHON:
        yield "\n".join(before).strip(), "\n".join(inside).strip("\n")
