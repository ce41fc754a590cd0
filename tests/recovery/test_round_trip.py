"""What is written in any form is read back exactly: random calls with noise, and all of BFCL's gold."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from inspect_ai.tool import ToolInfo, ToolParams
from inspect_ai.util import JSONSchema

from kate_eval.bfcl.categories import CATEGORIES
from kate_eval.bfcl.data import load_category
from kate_eval.bfcl.gold import multi_turn_gold, single_turn_gold
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.episode import Call
from kate_eval.recovery.offered import Offered
from kate_eval.recovery.text import Found, find_calls
from tests.recovery import writing

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["</tool_call>", "it's", 'a "quote"', "\\d", "C:\\new", "{", "]", "a\nb", "ls()", "é😀", "", "null", "1"]
)
_NUMBERS = st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False)
_ANY = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": _TEXT,
    "integer": st.integers(-(10**18), 10**18),
    "number": _NUMBERS,
    "boolean": st.booleans(),
    "array": st.lists(_ANY, max_size=3),
    "object": st.dictionaries(_TEXT, _ANY, max_size=3),
}
_NAME = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)


@st.composite
def offers(draw: st.DrawFn) -> tuple[Offered, list[Call]]:
    """Random tools, and calls of some of them."""
    tools = [
        ToolInfo(
            name=name,
            description="",
            parameters=ToolParams(
                properties={key: JSONSchema(type=kind) for key, kind in schema.items()},  # type: ignore[arg-type]
                required=list(schema),
            ),
        )
        for name, schema in draw(
            st.dictionaries(
                _NAME,
                st.dictionaries(_NAME, st.sampled_from(list(_VALUES)), max_size=3),
                min_size=1,
                max_size=3,
            )
        ).items()
    ]
    calls = []
    for tool in draw(st.lists(st.sampled_from(tools), min_size=1, max_size=3)):
        properties = tool.parameters.properties
        calls.append(
            Call(tool.name, {key: draw(_VALUES[str(schema.type)]) for key, schema in properties.items()})
        )
    return Offered(tools, lambda name: name.replace(".", "_")), calls


def same(found: Found | None, calls: list[Call]) -> bool:
    """Whether exactly these were found: also in type, which == doesn't tell for 1, 1.0 and True."""
    return found is not None and [repr(c) for c in found.calls] == [repr(c) for c in calls]


@settings(max_examples=60)
@pytest.mark.parametrize("form", writing.FORMS, ids=lambda form: form.__name__)
@given(offer=offers())
def test_every_form_is_read_back_exactly(form: writing.Form, offer: tuple[Offered, list[Call]]) -> None:
    offered, calls = offer
    assume(writing.carries(form, calls))
    assert same(find_calls(form(calls), offered), calls)


@pytest.mark.parametrize("text", ["<parameter=a>", "a <function=f>"])
@pytest.mark.parametrize("form", writing.TYPED_BY_SCHEMA, ids=lambda form: form.__name__)
def test_a_text_that_its_form_cannot_carry_makes_no_call(form: writing.Form, text: str) -> None:
    tool = ToolInfo(
        name="say",
        description="",
        parameters=ToolParams(properties={"text": JSONSchema(type="string")}, required=["text"]),
    )
    calls = [Call("say", {"text": text})]
    assert not writing.carries(form, calls)
    found = find_calls(form(calls), Offered([tool], lambda name: name))
    assert found is None or not found.calls


@settings(max_examples=25)
@pytest.mark.parametrize("form", writing.FORMS, ids=lambda form: form.__name__)
@given(offer=offers(), thought=st.sampled_from(["", "I could use ls(). Or {'a': 1}."]))
def test_thinking_is_told_apart(form: writing.Form, offer: tuple[Offered, list[Call]], thought: str) -> None:
    offered, calls = offer
    assume(writing.carries(form, calls))
    draft = f"{thought} {writing.hermes(calls)} no, {form(calls)}"
    for opening in ("<think>", ""):  # without: the template has opened it already
        found = find_calls(f"{opening}{draft}</think>\n\n{form(calls)}", offered)
        assert same(found, calls) or "</think>" in repr(calls)
        assert found is not None and found.text == ""
        assert [t.startswith(thought) for t in found.thoughts] == [True]


@settings(max_examples=25)
@pytest.mark.parametrize("form", writing.MARKED, ids=lambda form: form.__name__)
@given(offer=offers())
def test_text_around_marks_is_kept(form: writing.Form, offer: tuple[Offered, list[Call]]) -> None:
    offered, calls = offer
    assume(writing.carries(form, calls))
    found = find_calls(f"I'll look (first).\n\n{form(calls)}\n\nThat is all.", offered)
    if form is not writing.hermes_unclosed or found is not None:
        assert same(found, calls)
        assert found is not None and found.text.split() == ["I'll", "look", "(first).", "That", "is", "all."]


@settings(max_examples=25)
@pytest.mark.parametrize("form", writing.OBJECTS, ids=lambda form: form.__name__)
@given(offer=offers())
def test_text_before_objects_is_kept(form: writing.Form, offer: tuple[Offered, list[Call]]) -> None:
    offered, calls = offer
    found = find_calls(f"I'll look (first).\n{form(calls)}", offered)
    marks = ("think", "THINK", "tool_call", "TOOL_CALL")
    assert same(found, calls) or any(mark in form(calls) for mark in marks)
    assert found is None or found.text == "I'll look (first)."


@settings(max_examples=40)
@pytest.mark.parametrize("form", writing.FORMS, ids=lambda form: form.__name__)
@given(offer=offers(), data=st.data())
def test_what_is_cut_off_is_no_call_or_a_complete_one(
    form: writing.Form, offer: tuple[Offered, list[Call]], data: st.DataObject
) -> None:
    offered, calls = offer
    assume(writing.carries(form, calls))
    text = form(calls)
    found = find_calls(text[: data.draw(st.integers(0, len(text)))], offered)
    whole = [repr(call) for call in calls]
    assert found is None or [repr(call) for call in found.calls] == whole[: len(found.calls)]


def _as_documented(calls: list[Call], episode: BfclEpisode) -> bool:
    documented = {tool.name: tool.parameters.properties for tool in episode.tools}
    kinds = [
        (documented[call.name][key].type, value)
        for call in calls
        for key, value in call.arguments.items()
        if key in documented[call.name]
    ]
    right: dict[str, Any] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "array": list,
        "object": dict,
    }
    return all(isinstance(value, right[str(kind)]) for kind, value in kinds) and len(kinds) == sum(
        len(call.arguments) for call in calls
    )


@pytest.mark.parametrize("category", sorted(CATEGORIES))
def test_all_gold_is_read_back_from_every_form(category: str) -> None:
    for entry in load_category(category):
        if not entry.gold:
            continue
        episode = BfclEpisode(entry, "fc")
        turns = multi_turn_gold(entry) if entry.multi_turn else [single_turn_gold(entry)]
        while entry.multi_turn and episode.next_turn() is not None:
            pass  # so that held-out functions are offered
        offered = Offered(episode.tools, episode.tool_name)
        for turn in filter(None, turns):
            calls = [Call(episode.tool_name(call.name), call.arguments) for call in turn]
            for form in writing.FORMS:
                if form in writing.TYPED_BY_SCHEMA and not _as_documented(calls, episode):
                    continue  # gold of another type than documented can't be written in this form
                assert same(find_calls(form(calls), offered), calls), (entry.id, form(calls))
            # The documented names, as models write them who read the question's own.
            assert same(find_calls(writing.hermes(turn), offered), calls)
