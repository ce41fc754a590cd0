"""Names in a plot: what they share is said once, what can't be seen is gone, none lies on another."""

from hypothesis import given
from hypothesis import strategies as st

from kate_eval.report.document import Axis, Plot, Point, Series
from kate_eval.report.page.labels import LONGEST, placed, printable, shared_words

NAMES = st.lists(st.text(max_size=20), min_size=1, max_size=5)


def plot(*points: Point, log: bool = False) -> Plot:
    """A plot of some points."""
    return Plot(
        id="p",
        name="tokens",
        title="p",
        board="b",
        kind="measured",
        mark="point",
        x=Axis(label="Tokens", unit="tokens", log=log),
        y=Axis(label="Score", unit="share"),
        series=(Series(name="all", points=points),),
    )


def test_the_one_model_of_a_plot_is_shared_and_solvers_are_not() -> None:
    assert shared_words(["vllm/m kate", "vllm/m kate (width=8)", "vllm/m width"]) == "vllm/m "
    assert shared_words(["m kate", "m kate (width=8)"]) == "m "
    assert shared_words(["a x", "b x"]) == shared_words(["m kate"]) == shared_words([]) == ""


@given(NAMES)
def test_names_differ_without_what_they_share_as_they_did_with_it(names: list[str]) -> None:
    shared = shared_words(names)
    assert all(name.startswith(shared) for name in names)
    assert [shared + name.removeprefix(shared) for name in names] == names


@given(st.text())
def test_what_is_left_can_be_seen(text: str) -> None:
    assert printable(text).isprintable() and len(printable(text)) == len(text)


def test_only_the_front_is_named_and_a_name_never_lies_on_another() -> None:
    points = [
        Point(x=1.0, y=0.2, label="cheap", front=True),
        Point(x=5.0, y=0.1, label="behind"),
        Point(x=9.0, y=0.9, label="near the best", front=True),
        Point(x=9.1, y=0.9001, label="best", front=True),
    ]
    assert [(label.text, label.left) for label in placed(plot(*points))] == [("best", True), ("cheap", False)]


def test_long_names_are_cut_and_equal_values_are_no_error() -> None:
    [label] = placed(plot(Point(x=4.0, y=0.5, label="n" * 99, front=True), log=True))
    assert len(label.text) == LONGEST and label.text.endswith("…")
