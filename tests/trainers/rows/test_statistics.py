"""Lengths: quantiles, the histogram, the estimate, and a real tokenizer where transformers is installed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kate_eval.errors import ConfigurationError
from kate_eval.trainers.rows.card import histogram
from kate_eval.trainers.rows.statistics import Counter, by_characters, by_tokenizer, measure, quantile
from tests.trainers.rows.making import called, row, said


def test_quantiles_and_histogram() -> None:
    rows = [row(number) for number in range(100)]
    lengths = {one.id: (number + 1) * 10 for number, one in enumerate(rows)}
    found = measure(rows, Counter("ten", lambda one: (lengths[one.id], 1)))
    assert (found.median, found.p90, found.p99, found.max) == (500, 900, 990, 1000)
    assert found.histogram == {"256": 25, "512": 26, "1024": 49} and found.counted_by == "ten"
    assert (found.completion_median, found.completion_max) == (1, 1)
    lines = histogram(found.histogram).splitlines()
    assert [line.split()[1] for line in lines] == ["256", "512", "1024"]
    assert lines[2].count("#") == 40 and lines[0].endswith(" 25") and 20 <= lines[0].count("#") <= 22


def test_empty_buckets_between_are_shown() -> None:
    rows = [row(0), row(1)]
    found = measure(rows, Counter("x", lambda one: (10 if one.turn else 5000, 1)))
    assert found.histogram == {"256": 1, "512": 0, "1024": 0, "2048": 0, "4096": 0, "8192": 1}


@given(st.lists(st.integers(0, 10**6), min_size=1), st.floats(0, 1))
def test_a_quantile_is_one_of_the_values(values: list[int], share: float) -> None:
    ordered = sorted(values)
    found = quantile(ordered, share)
    assert found in ordered and sum(value <= found for value in ordered) >= share * len(ordered) - 1e-6


def test_the_estimate_counts_messages_tools_and_answer() -> None:
    count = by_characters().count
    total, answer = count(row(0, completion=said("x" * 400)))
    assert 100 <= answer <= 120
    more = row(0, completion=said("x" * 400), messages=({"role": "user", "content": "y" * 4000},))
    assert 950 < count(more)[0] - total < 1000
    assert "estimate" in by_characters().name


def test_without_transformers_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigurationError, match="kate train setup"):
        by_tokenizer("x")


@pytest.mark.train
def test_a_tokenizer_counts_what_its_template_writes(tmp_path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]")
    tokenizer.save_pretrained(tmp_path / "plain")
    tokenizer.chat_template = (
        "{% for t in tools %}{{ t.function.name }} {% endfor %}"
        "{% for m in messages %}{{ m.role }} {{ m.content }} "
        "{% for c in m.tool_calls or [] %}{{ c.function.arguments.items() | list | length }} {% endfor %}"
        "{% endfor %}"
    )
    tokenizer.save_pretrained(tmp_path / "chat")
    one = row(0, messages=({"role": "user", "content": "a b c"},), completion=called(arguments='{"x": 1}'))
    assert by_tokenizer(str(tmp_path / "chat")).count(one)[0] == len(
        ["ls", "user", "a", "b", "c", "assistant", "1"]
    )
    plain = by_tokenizer(str(tmp_path / "plain"))
    assert "without a chat template" in plain.name and plain.count(one)[0] > 7
    with pytest.raises(ConfigurationError, match="can't be loaded"):
        by_tokenizer(str(tmp_path / "nothing"))
