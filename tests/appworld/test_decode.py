"""From what a model wrote to a code block: any text is read, in bounded time, and nothing is run."""

import ast
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kate_eval.appworld.decode import MAX_CODE, CodeBlock, all_blocks, code_block, normal_form, read

READ = {
    # text -> (thought, code)
    "I log in.\n```python\nx = 1\n```": ("I log in.", "x = 1"),
    "```\nx = 1\n```": ("", "x = 1"),
    "```py\nx = 1\n```\nIt prints:\n```\n1\n```": ("", "x = 1"),
    "```python\nx = 1": ("", "x = 1"),
    "```python\nx = 1\n\ny = 2\n```\n": ("", "x = 1\n\ny = 2"),
    "```python\nif x:\n    y = 2\n```": ("", "if x:\n    y = 2"),
    "Now `x`:\n```python\nprint('`')\n```": ("Now `x`:", "print('`')"),
    "<think>```python\nx = 0\n```</think>\n```python\nx = 1\n```": ("", "x = 1"),
    "<thinking>a\nb</thinking>Go.\n```python\nx = 1\n```": ("Go.", "x = 1"),
    "apis.supervisor.complete_task()": ("", "apis.supervisor.complete_task()"),
    "x = 1\nprint(x)": ("", "x = 1\nprint(x)"),
    "```json\n{}\n```\nThen:\n```python\nx = 1\n```": ("```json\n{}\n```\nThen:", "x = 1"),
    "```bash\nls\n```\nNow:\n```\nx = 1\n```": ("```bash\nls\n```\nNow:", "x = 1"),
    "```Python\nx = 1\n```": ("", "x = 1"),
    "```python title=a.py\nx = 1\n```": ("", "x = 1"),
    "I think:\n```python\nx = 0\n```\n</think>\n```python\nx = 1\n```": ("", "x = 1"),
    "Go: ```apis.supervisor.complete_task()```": ("Go:", "apis.supervisor.complete_task()"),
}

NO_CODE = {
    "```bash\nls\n```": "no code block",
    "": "no code block",
    "Hello": "no code block",
    "I am done.": "no code block",
    "Done": "no code block",
    "<think>```python\nx = 1\n```": "no code block",
    "```python\n```": "empty",
    "```python\n   \n```": "empty",
    "```python\n" + "x" * (MAX_CODE + 1) + "\n```": "characters",
}

SAME = [
    ("x=1", "x = 1  # one"),
    ("f(1,\n  2)", "f(1, 2)"),
    ("x = 'a'", 'x = "a"'),
    ("x = 1\n\n\n# then\ny = 2", "x = 1\ny = 2"),
    ("if x:\n  y()", "if x:\n        y()"),
    ("x = = 1\n", "  x = = 1"),
]

HOSTILE = {
    "parentheses": "(" * 50_000,
    "closed parentheses": "x = " + "(" * 40_000 + ")" * 40_000,
    "minus signs": "x = " + "-" * 90_000 + "1",
    "attributes": "x" + ".a" * 40_000,
    "sums": "x = " + "+".join(["1"] * 40_000),
    "indentation": "\n".join(" " * n + "if x:" for n in range(150)),
    "fences": "```\n" * 20_000,
    "openings of fences": "```python " * 20_000,
    "backticks": "`" * 200_000,
    "thoughts": "<think>" * 30_000,
    "spaces": "```" + " " * 100_000,
    "lines of spaces": (" " * 50 + "\n") * 4_000,
    "a long word": "x" * 300_000,
    "names and spaces": "x " * 100_000,
    "null characters": "apis.x()\0" * 1000,
    "lone surrogates": "print('\ud800')",
    "digits": "x = " + "9" * 90_000,
}


@pytest.mark.parametrize("text", READ)
def test_a_block_is_found(text: str) -> None:
    written = read(text)
    assert (written.thought, written.code) == READ[text]
    assert written.error is None


@pytest.mark.parametrize("text", NO_CODE, ids=[text[:20] for text in NO_CODE])
def test_an_answer_without_code_says_why(text: str) -> None:
    written = read(text)
    assert written.code is None and NO_CODE[text] in str(written.error)


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_takes_bounded_time(kind: str) -> None:
    begun = time.process_time()
    written = read(HOSTILE[kind])
    for text in (HOSTILE[kind], written.code or ""):
        assert isinstance(code_block(text).key, str)
        all_blocks(text)
    assert time.process_time() - begun < 3


@given(
    st.text()
    | st.lists(st.sampled_from(["```", "python", "\n", "x = 1", "<think>", "</think>", " "])).map("".join)
)
def test_any_text_is_read(text: str) -> None:
    written = read(text)
    assert (written.code is None) == (written.error is not None)
    assert written.code is None or written.code.strip()
    assert "<think>" not in written.thought.lower()


@given(st.text())
def test_any_code_has_a_key(code: str) -> None:
    assert code_block(code).key == code_block(code).key


@given(st.text(alphabet=st.characters(exclude_characters="`<")), st.text(alphabet="abc .,\n"))
def test_what_follows_the_first_block_is_dropped(after: str, before: str) -> None:
    written = read(f"{before}\n```python\nx = 1\n```\n{after}\n```python\nx = 2\n```")
    assert written.code == "x = 1"


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equal_code_has_equal_keys(one: str, other: str) -> None:
    assert code_block(one).key == code_block(other).key


@given(st.sampled_from(["x = 1", "f(a, b)", "for i in y:\n    print(i)"]), st.integers(0, 3), st.text("ab #"))
def test_comments_and_blank_lines_change_no_key(code: str, blank: int, comment: str) -> None:
    assert code_block(f"# {comment}\n" + "\n" * blank + code + f"  # {comment}\n").key == code_block(code).key


@given(st.sampled_from(["x = 1", "x = 2", "f(a)", "f(b)", "f(a, b)", "f(b, a)", "'x = 1'"]))
def test_a_normal_form_is_its_own_normal_form(code: str) -> None:
    assert normal_form(normal_form(code)) == normal_form(code)
    assert ast.dump(ast.parse(normal_form(code))) == ast.dump(ast.parse(code))


def test_other_code_has_another_key() -> None:
    keys = {code_block(code).key for code in ("x = 1", "x = 2", "y = 1", "x == 1", "'x = 1'")}
    assert len(keys) == 5


def test_a_block_s_text_reads_as_the_block() -> None:
    block = code_block("x = 1\nprint(x)")
    assert isinstance(block, CodeBlock)
    assert read(block.text).code == block.code
