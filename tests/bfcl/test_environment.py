"""Dispatch: what executes, what is refused, and that no call reaches beyond its own instances."""

import time
from typing import Any

import pytest

from kate_eval.bfcl.data import load_category, load_entry
from kate_eval.bfcl.environment import Environment
from kate_eval.episode import Call


def environment(*classes: str) -> Environment:
    """A fresh environment of an entry that involves these classes."""
    entry = next(e for e in load_category("multi_turn_base") if set(classes) <= set(e.classes))
    return Environment(entry)


def test_results_are_text_as_the_official_executor_writes_them() -> None:
    files = environment("GorillaFileSystem")
    assert files.execute(Call("pwd", {})).startswith('{"current_working_directory"')
    assert files.execute(Call("cd", {"folder": "nowhere"})).startswith('{"error"')


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("no_such", {}, "name 'no_such' is not defined"),
        ("GorillaFileSystem.ls", {}, "name 'GorillaFileSystem' is not defined"),
        ("__import__('os').system('true')", {}, "is not defined"),
        ("_load_scenario", {"scenario": {}}, "is not defined"),
        ("__init__", {}, "is not defined"),
        ("ls", {"b": 1}, "unexpected keyword argument 'b'"),
        ("ls", {"self": 1}, "multiple values for argument 'self'"),
        ("ls", {"a) or print(1": 1}, "invalid argument name"),
        ("ls", {"class": 1}, "invalid argument name"),
        ("ls", {"a": float("nan")}, "name 'nan' is not defined"),
        ("ls", {"a": float("inf")}, "name 'inf' is not defined"),
        ("cd", {"folder": "x" * 3_000_000}, "longer than"),
    ],
)
def test_a_call_that_can_t_be_made_is_an_answer_to_the_model(name: str, arguments: Any, says: str) -> None:
    result = environment("GorillaFileSystem").execute(Call(name, arguments))
    assert result.startswith("Error during execution: ") and says in result


def test_deep_arguments_are_refused() -> None:
    value: Any = 1
    for _ in range(1000):
        value = [value]
    assert "nested more than" in environment("GorillaFileSystem").execute(Call("ls", {"a": value}))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("power", {"base": 10, "exponent": 10**12}),
        ("power", {"base": -(10**300), "exponent": 10**6}),
        ("logarithm", {"value": 2, "base": 10, "precision": 10**9}),
        ("square_root", {"number": 2, "precision": 10**9}),
        ("round_number", {"number": 123, "decimal_places": -(10**9)}),
        ("multiply", {"a": 10**4000, "b": 10**4000}),
    ],
)
def test_arithmetic_that_would_never_end_is_refused_at_once(name: str, arguments: Any) -> None:
    started = time.process_time()
    result = environment("MathAPI").execute(Call(name, arguments))
    assert time.process_time() - started < 1 and result.startswith("Error during execution: ")


def test_a_call_that_runs_too_long_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of copies make a tree with 2^24 paths; listing them would take a minute."""
    monkeypatch.setattr("kate_eval.bfcl.environment.CALL_SECONDS", 0.3)
    files = environment("GorillaFileSystem")
    files.execute(Call("mkdir", {"dir_name": "d0"}))
    for level in range(24):
        files.execute(Call("cp", {"source": f"d{level}", "destination": f"c{level}"}))
        files.execute(Call("mkdir", {"dir_name": f"d{level + 1}"}))
        files.execute(Call("cp", {"source": f"c{level}", "destination": f"d{level + 1}"}))
        files.execute(Call("cp", {"source": f"d{level}", "destination": f"d{level + 1}"}))
    started = time.monotonic()
    result = files.execute(Call("find", {"path": ".", "name": "zzz"}))
    assert time.monotonic() - started < 20 and "took longer" in result


def test_nested_calls_run_inside_out() -> None:
    result = environment("MathAPI").execute(Call("absolute_value", {"number": Call("no_such", {})}))
    assert "name 'no_such' is not defined" in result


def test_instances_share_nothing() -> None:
    entry = next(e for e in load_category("multi_turn_long_context") if "TravelAPI" in e.classes)
    first, second = Environment(entry), Environment(entry)
    for card in first.instances["TravelAPI"].credit_card_list.values():
        card["balance"] = -1
    assert all(c["balance"] != -1 for c in second.instances["TravelAPI"].credit_card_list.values())


def test_default_arguments_are_fresh_in_each_call() -> None:
    entry = next(e for e in load_category("multi_turn_base") if "TwitterAPI" in e.classes)
    shown = []
    for _ in range(2):
        posting = Environment(entry)
        twitter = posting.instances["TwitterAPI"]
        twitter.authenticated = True
        number = twitter.tweet_counter
        shown.append(posting.execute(Call("post_tweet", {"content": "x"})))
        posting.execute(Call("mention", {"tweet_id": number, "mentioned_usernames": ["@leak"]}))
    assert shown[0] == shown[1] and "@leak" not in shown[1]


def test_a_call_keeps_its_arguments_whatever_the_environment_does_with_them() -> None:
    posting = environment("TwitterAPI")
    posting.instances["TwitterAPI"].authenticated = True
    number = posting.instances["TwitterAPI"].tweet_counter
    post = Call("post_tweet", {"content": "x", "mentions": ["@first"]})
    posting.execute(post)
    posting.execute(Call("mention", {"tweet_id": number, "mentioned_usernames": ["@later"]}))
    assert post.arguments["mentions"] == ["@first"]
    assert "@later" in posting.instances["TwitterAPI"].tweets[number]["mentions"]


def test_held_out_functions_still_execute_as_officially() -> None:
    entry = load_entry("multi_turn_miss_func_0")
    assert "sort" in {doc["name"] for doc in entry.held_out[3]}
    assert "is not defined" not in Environment(entry).execute(Call("sort", {"file_name": "x"}))


def test_a_fault_of_the_data_is_raised_and_never_a_wrong_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    from kate_eval.bfcl import checker
    from kate_eval.errors import DatasetError

    def broken(*_: object) -> None:
        raise DatasetError("gone")

    monkeypatch.setattr("kate_eval.bfcl.engine.new_instance", broken)
    entry = load_entry("multi_turn_base_1")
    with pytest.raises(DatasetError, match="gone"):
        checker.check(entry, [[] for _ in entry.gold], "fc")


def test_a_checker_that_raises_on_an_answer_is_a_finding() -> None:
    from kate_eval.bfcl import checker

    def raising(*_: object) -> dict[str, Any]:
        raise KeyError("x")

    assert checker._ask(raising)["error_type"] == "checker:KeyError"
