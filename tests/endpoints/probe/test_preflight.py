"""A run whose endpoint lacks what its solver needs stops before its first sample; a weak one does not."""

from typing import Any

import pytest

from kate_eval.endpoints.probe.preflight import VARIABLE
from kate_eval.solvers.kate import baseline, width
from kate_eval.solvers.nearest import nearest
from kate_eval.tasks.bfcl import bfcl
from tests.endpoints.probe.fake import Fake, serving


def play(run: Any, fake: Fake, solver: Any = None, model: str = "fake", **task: Any) -> Any:
    """Run two samples against a fake and return the log."""
    return run(
        bfcl(categories="multiple", **task),
        f"openai-api/local/{model}",
        solver or baseline(),
        limit=2,
        model_base_url=fake.url,
        model_args={"api_key": "none"},
        max_retries=0,
    )


def test_refused_tools_stop_the_run_with_the_flag(run: Any) -> None:
    with serving(Fake(tools="refused")) as fake:
        log = play(run, fake)
    assert log.status == "error" and not log.samples
    assert "--enable-auto-tool-choice --tool-call-parser" in log.error.message
    assert VARIABLE in log.error.message
    assert len(fake.requests) == 1


def test_a_wrong_name_stops_the_run_with_what_the_server_has(run: Any) -> None:
    with serving(Fake(models=("Qwen/Qwen3-8B",))) as fake:
        log = play(run, fake)
    assert log.status == "error" and "Qwen/Qwen3-8B" in log.error.message
    assert not fake.requests


@pytest.mark.parametrize("tools", ["raw", "silent", "parsed"])
def test_a_weak_model_or_a_missing_parser_stops_nothing(run: Any, tools: str) -> None:
    with serving(Fake(tools=tools, honours_n=False)) as fake:
        log = play(run, fake, width(aggregate="majority"))
    assert log.status == "success" and len(log.samples) == 2


def test_no_server_stops_the_run(run: Any) -> None:
    with serving(Fake()) as fake:
        pass
    log = play(run, fake)
    assert log.status == "error" and "No server answers" in log.error.message


def test_one_of_several_servers_is_enough(run: Any) -> None:
    with serving(Fake()) as gone:
        pass
    with serving(Fake()) as fake:
        both = f"{gone.url},{fake.url}"
        log = run(bfcl(categories="multiple"), "kate/fake", baseline(), limit=2, model_base_url=both)
        assert log.status == "success" and not any(sample.error for sample in log.samples)
    log = run(bfcl(categories="multiple"), "kate/fake", baseline(), limit=2, model_base_url=both)
    assert log.status == "error" and log.error.message.count("No server answers") == 2


def test_one_of_several_servers_that_lacks_the_model_stops_the_run(run: Any) -> None:
    with serving(Fake()) as good, serving(Fake(models=("other",))) as bad:
        both = f"{good.url},{bad.url}"
        log = run(bfcl(categories="multiple"), "kate/fake", baseline(), limit=2, model_base_url=both)
    assert log.status == "error" and "the server has no model 'fake'" in log.error.message
    assert not good.requests


def test_what_asks_no_model_or_offers_no_tools_is_not_stopped(run: Any) -> None:
    with serving(Fake(tools="refused")) as fake:
        assert play(run, fake, nearest()).status == "success"
        assert not fake.requests
        assert play(run, fake, mode="prompt").status == "success"


def test_it_can_be_turned_off(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "false")
    with serving(Fake(tools="refused")) as fake:
        log = play(run, fake)
    assert log.status == "success" and all(sample.error for sample in log.samples)
