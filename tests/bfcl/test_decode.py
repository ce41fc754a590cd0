"""Decoders: what they accept, and that nothing a model writes is evaluated or raises anything else."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kate_eval.bfcl.decode import DecodeError, decode_fc, decode_prompt, executable_calls
from kate_eval.episode import Call

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True).filter(lambda n: n.isidentifier())


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("[f(x=1), g.h(y='a')]", [{"f": {"x": 1}}, {"g.h": {"y": "a"}}]),
        ("f(x=[1, (2, 3)], y={'k': None})", [{"f": {"x": [1, (2, 3)], "y": {"k": None}}}]),
        ("```\n[f(x=-5)]\n```", [{"f": {"x": -5}}]),
        ("[f(x=2 * 3 + 1)]", [{"f": {"x": 7}}]),
        ("[f('dropped', x=true)]", [{"f": {"x": "true"}}]),
        ("[f(x=g(y=1))]", [{"f": {"x": {"g": {"y": 1}}}}]),
        ("[]", []),
    ],
)
def test_prompting_mode_reads_calls_as_the_official_decoder_does(text: str, decoded: Any) -> None:
    assert decode_prompt(text, "python") == decoded


@pytest.mark.parametrize(
    "text",
    [
        "I can't help with that.",
        "[f(x=__import__('os').getcwd() + '')]",
        "[f(x=9**9**9)]",
        "[f(x='a' * 10**9)]",
        "[f(x=(lambda: 1))]",
        "[1, 2]",
        "[" * 500,
        "f(" * 500,
        "-" * 50_000 + "1",
        "x" * 300_000,
        "",
    ],
)
def test_other_text_does_not_decode(text: str) -> None:
    with pytest.raises(DecodeError):
        if decode_prompt(text, "python") == []:
            raise DecodeError("no calls")


def test_nothing_is_executed_while_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    payload = "open('hacked', 'w')"
    for text in (f"[f(x={payload} + 1)]", f"[f(x=1 + {payload})]", f"[{payload}]", f"[f(x=[{payload}])]"):
        for language in ("python", "java", "javascript"):
            try:
                decode_prompt(text, language)
            except DecodeError:
                continue
    assert not list(tmp_path.iterdir())


@given(st.text(max_size=200), st.sampled_from(["python", "java", "javascript"]))
def test_any_text_decodes_or_is_a_decode_error(text: str, language: Any) -> None:
    with contextlib.suppress(DecodeError):
        decode_prompt(text, language)


@given(_NAMES, st.dictionaries(_NAMES, _VALUES, max_size=3))
def test_a_rendered_call_decodes_to_itself(name: str, arguments: dict[str, Any]) -> None:
    import keyword

    if keyword.iskeyword(name) or any(map(keyword.iskeyword, arguments)):
        return
    [call] = executable_calls(decode_prompt(f"[{Call(name, arguments).text}]", "python"))
    assert call == Call(name, arguments)


@given(
    st.recursive(st.none() | st.text() | st.integers(), lambda s: st.lists(s) | st.dictionaries(st.text(), s))
)
def test_function_calling_output_decodes_only_from_json_objects(value: Any) -> None:
    text = json.dumps(value)
    if isinstance(value, dict):
        assert decode_fc([{"f": text}]) == [{"f": value}]
    else:
        with pytest.raises(DecodeError):
            decode_fc([{"f": text}])


@given(st.text(max_size=100))
def test_any_arguments_text_decodes_or_is_a_decode_error(text: str) -> None:
    with contextlib.suppress(DecodeError):
        decode_fc([{"f": text}])


def test_one_bad_call_voids_the_good_ones_beside_it() -> None:
    with pytest.raises(DecodeError, match="'g'"):
        decode_fc([{"f": "{}"}, {"g": "{"}])
