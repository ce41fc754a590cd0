"""From what a model wrote to a code block: data, never run in this process.

A block is the first fenced one, or the whole answer where it is bare code. Thinking is removed; what comes
after the first block is dropped, because models go on to make up its output.
"""

import ast
import re
from dataclasses import dataclass

from kate_eval.episode import Call

TOOL = "python"
"""Name of the one tool: critics and logs show a code block as a call of it."""
MAX_CODE = 100_000
"""Characters; longer blocks are refused."""
_THINK = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
# Nothing in these can match in two ways: no text takes more than time in proportion to its length.
_FENCE = re.compile(
    r"^[ \t]*+```[ \t]*+(?:python3?|py)?+[ \t]*+\n(.*?)(?:^[ \t]*+```|\Z)", re.DOTALL | re.MULTILINE
)
_INLINE = re.compile(r"```(?:python|py)?+[ \t]*+([^`\n]++)```")
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
    said = _THINK.sub("", text).strip()
    found = _FENCE.search(said) or _INLINE.search(said)
    if found:
        code, thought = found[1].strip("\n"), said[: found.start()].strip()
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
    found = (match[1].strip("\n") for match in _FENCE.finditer(_THINK.sub("", text)))
    return [code for code in found if code.strip() and len(code) <= MAX_CODE]
