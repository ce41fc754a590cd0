"""`kate knowledge`: what each command does, and that bad input is one line that says the remedy."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from inspect_ai import eval
from inspect_ai.log import EvalLog

from kate_eval.bfcl.data import load_entry
from kate_eval.cli import main
from kate_eval.knowledge.acquire import default_bank
from kate_eval.knowledge.bank import make_bank
from kate_eval.knowledge.card import EmbedderCard
from kate_eval.knowledge.embed import unit
from kate_eval.knowledge.folder import JOURNAL, load_bank, save_bank
from kate_eval.solvers.kate import baseline
from kate_eval.tasks.bfcl import bfcl
from tests.knowledge.test_published import one_entry

BANK = default_bank("bfcl")
FEW = 8
MODEL = ("--model", "simulated/default")
LIMIT = ("--limit", str(FEW))
ITEM = "multi_turn_base_0/0/trajectory"


def kate(*arguments: str | Path) -> Result:
    """Run a command of `kate knowledge` at a wide terminal."""
    return CliRunner(env={"COLUMNS": "300"}).invoke(main, ["knowledge", *map(str, arguments)])


def works(*arguments: str | Path) -> str:
    """What a command that succeeds says."""
    done = kate(*arguments)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def refused(*arguments: str | Path) -> str:
    """The one line that a command says which can't do what is asked."""
    done = kate(*arguments)
    assert done.exit_code == 1 and isinstance(done.exception, SystemExit), (done.output, done.exception)
    errors = [line for line in done.output.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1 and done.output.endswith(f"{errors[0]}\n") and "Traceback" not in done.output
    return errors[0]


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bank of three forms, as the command builds it; not to be changed."""
    folder = tmp_path_factory.mktemp("built") / "bank"
    said = works("build", "bfcl", "--form", "trajectory,summary,intent", *LIMIT, *MODEL, "-o", folder)
    assert f"summary: {FEW} written, 0 of them known before; " in said and " input and " in said
    return folder


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> EvalLog:
    """A run of four entries, in which some turns go wrong."""
    folder = tmp_path_factory.mktemp("logs")
    [log] = eval(
        bfcl(categories="multi_turn_base", split="test"),
        model="simulated/weak",
        solver=baseline(),
        limit=4,
        log_dir=str(folder),
        display="log",
    )
    assert log.status == "success" and log.samples and not any(sample.error for sample in log.samples)
    return log


# --- build


def test_all_forms_are_built_and_the_bank_says_who_wrote_them(bank: Path) -> None:
    held = load_bank(bank)
    assert held.card.forms["trajectory"] == held.card.forms["summary"] == FEW
    assert held.card.forms["intent"] >= 1 and held.card.models == ("simulated/default",)
    assert all("SIMULATED" in item.text for item in held.items if item.form == "summary")
    assert len((bank / JOURNAL).read_text().splitlines()) == len(held.items) - FEW


def test_what_was_answered_is_not_asked_again_and_the_estimate_knows_it(bank: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bank"
    asked = ("build", "bfcl", "--form", "summary", *MODEL, "-o", folder)
    works(*asked, "--limit", "3")
    said = works(*asked, "--limit", "5", "--estimate")
    assert said.startswith("summary: 2 requests (3 more were asked before), about ")
    assert "summary: 5 written, 3 of them known before; " in works(*asked, "--limit", "5")
    assert "summary: 5 written, 5 of them known before; 0 input and 0 output tokens." in works(
        *asked, "--limit", "5"
    )
    assert len(load_bank(folder).items) == 5


def test_an_estimate_says_the_price_and_writes_nothing(tmp_path: Path) -> None:
    asked = ("build", "bfcl", "--form", "summary", *LIMIT, *MODEL, "--estimate", "-o", tmp_path / "bank")
    said = works(*asked, "--price", "2000,8000")
    found = re.fullmatch(
        r"summary: 8 requests, about ([\d,]+) input and ([\d,]+) output tokens, about \$([\d.]+)\.\n", said
    )
    assert found, said
    read, written = (int(found[n].replace(",", "")) for n in (1, 2))
    assert float(found[3]) == pytest.approx((read * 2000 + written * 8000) / 1e6, abs=0.006) and read > 1000
    assert "no price known; --price gives one" in works(*asked)
    assert not (tmp_path / "bank").exists()


def test_appending_keeps_what_is_there_and_without_it_the_bank_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "bank"
    works("build", "bfcl", "--limit", "3", "-o", folder)
    before = load_bank(folder).items
    said = works(
        "build", "bfcl", "--form", "trajectory,summary", "--limit", "4", *MODEL, "--append", "-o", folder
    )
    assert "8 items (summary 4, trajectory 4; 5 new)" in said and load_bank(folder).items[:3] == before
    assert "2 items (trajectory 2; 2 new)" in works("build", "bfcl", "--limit", "2", "-o", folder)


def test_another_model_for_one_form(tmp_path: Path) -> None:
    forms = ("--form", "summary,intent", "--limit", "4")
    roles = ("--model-role", "intent=simulated/strong")
    works(
        "build", "bfcl", *forms, *MODEL, *roles, "-M", "seed=3", "--max-tokens", "500", "-o", tmp_path / "b"
    )
    held = load_bank(tmp_path / "b")
    assert {(item.form, item.origin.writer) for item in held.items} == {
        ("summary", "simulated/default"),
        ("intent", "simulated/strong"),
    }
    alone = ("build", "bfcl", *forms, *roles, "-o", tmp_path / "c")
    assert "'summary' is written by a model: name one, for instance --model" in refused(*alone)


def test_a_bank_is_built_from_logs(played: EvalLog, tmp_path: Path) -> None:
    folder, logs = tmp_path / "bank", tmp_path / "logs"
    logs.mkdir()
    (logs / Path(played.location).name).write_bytes(Path(played.location).read_bytes())
    (logs / "2026-01-01T00-00-00_broken.eval").write_bytes(b"PK no archive")
    said = works("build", "--from-logs", logs, "--form", "trajectory,reflection", *MODEL, "-o", folder)
    assert "Left out, can't be read: " in said and "broken.eval" in said
    held = load_bank(folder)
    samples = played.samples or []
    assert set(held.card.sources) <= {str(sample.id) for sample in samples} and held.card.split == "test"
    assert {item.origin.model for item in held.items} == {"simulated/weak"}
    assert {item.origin.sample for item in held.items} <= {sample.uuid for sample in samples}
    failed = [item for item in held.items if not item.origin.success]
    assert (
        failed and {item.form for item in failed} == {"reflection"} and all(i.origin.evidence for i in failed)
    )
    assert all(item.origin.log == Path(played.location).name for item in held.items)
    assert "right" in works("show", folder) and f"{len(failed)} items from run, failed" in works(
        "show", folder
    )


BAD_BUILDS = {
    "no benchmark": ([], "Name a benchmark (bfcl, appworld), or --from-logs LOGS"),
    "no model": (["bfcl", "--form", "summary"], "name one, for instance --model openai/gpt-4.1"),
    "gold reflection": (["bfcl", "--form", "reflection", *MODEL], "--from-logs LOGS --form reflection"),
    "intents": (
        ["bfcl", "--form", "intent", "--categories", "simple_python", *MODEL],
        "Choose among: trajectory, summary, reflection",
    ),
    "rewrite": (["bfcl", "--rewrite", "simulated/default"], "--rewrite does not apply to bfcl"),
    "logs and categories": (
        ["--from-logs", ".", "--categories", "irrelevance"],
        "--categories does not apply",
    ),
    "logs and rewrite": (["--from-logs", ".", "--rewrite", "m"], "--rewrite does not apply to --from-logs"),
    "missing logs": (["--from-logs", "nowhere"], "No log or folder nowhere; logs go to ./logs unless"),
    "empty logs": (["--from-logs", "EMPTY"], "benchmarks found: none. Choose one: kate knowledge build"),
    "role of no form": (["bfcl", "--model-role", "wisdom=simulated/weak"], "choose from: intent, intent_"),
    "role of no model": (["bfcl", "--model-role", "summary"], "For instance: summary=openai/gpt-4.1"),
    "provider": (["bfcl", "--model", "nobody/nothing"], "The model 'nobody/nothing' can't be used: "),
    "profile": (
        ["bfcl", "--model", "simulated/genius"],
        "choose from: default, perfect, silent, strong, weak",
    ),
    "argument": (["bfcl", *MODEL, "-M", "speed=1"], "choose from: choices, latency, prefix_cache, seed"),
    "no value": (["bfcl", *MODEL, "-M", "latency"], "-M latency: write it as NAME=VALUE"),
    "latency": (["bfcl", *MODEL, "-M", "latency=-1"], "must be 0 or more seconds, not -1"),
    "one price": (["bfcl", "--price", "2"], "--price 2: write dollars per million tokens as IN,OUT (2,8)"),
    "no price": (["bfcl", "--price", "a,b"], "--price a,b: write dollars"),
    "embedder": (["bfcl", "--embedder", "word2vec"], "choose from: lexical, minilm, openai:MODEL"),
}


@pytest.mark.parametrize("case", BAD_BUILDS)
def test_a_build_that_can_t_be_is_refused_with_the_remedy(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, says = BAD_BUILDS[case]
    (tmp_path / "EMPTY").mkdir()
    monkeypatch.chdir(tmp_path)
    assert says in refused("build", *arguments, "-o", "bank")
    assert not Path("bank").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([*MODEL, "-M", "latency=[1"], "-M latency=[1: "),
        (["--price", "nan,-1"], "--price nan,-1: write dollars per million tokens"),
    ],
)
def test_odd_values_are_refused_with_the_remedy(arguments: list[str], says: str, tmp_path: Path) -> None:
    assert says in refused("build", "bfcl", "--limit", "2", *arguments, "-o", tmp_path / "bank")


@pytest.mark.parametrize(
    "option",
    [("--limit", "0"), ("--max-connections", "0"), ("--max-tokens", "-1"), ("--temperature", "warm")],
)
def test_numbers_that_can_t_be_are_refused_by_their_option(option: tuple[str, str], tmp_path: Path) -> None:
    done = kate("build", "bfcl", *option, "-o", tmp_path / "bank")
    assert done.exit_code == 2 and option[0] in done.output and not (tmp_path / "bank").exists()


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert "exists and is no bank: choose another folder" in refused("build", "bfcl", *LIMIT, "-o", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


# --- an interruption


def lines(journal: Path) -> list[bytes]:
    """The whole lines of a journal that may be in the middle of being written."""
    data = journal.read_bytes() if journal.is_file() else b""
    return data[: data.rfind(b"\n") + 1].splitlines()


def killed_build(folder: Path, after: int, *arguments: str) -> list[bytes]:
    """Kill a build that has so many answers; the answers it had kept."""
    command = [sys.executable, "-c", "from kate_eval.cli import main; main()", "knowledge", *arguments]
    with subprocess.Popen([*command, "-o", str(folder)], stdout=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while len(lines(folder / JOURNAL)) < after and process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        assert process.poll() is None, "the build ended before it could be killed"
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    return lines(folder / JOURNAL)


def test_a_build_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    build = [
        "build",
        "bfcl",
        "--form",
        "trajectory,summary",
        "--limit",
        "24",
        *MODEL,
        "--max-connections",
        "2",
    ]
    kept = killed_build(tmp_path / "killed", 4, *build, "-M", "latency=0.2")
    assert 4 <= len(kept) < 24
    assert "is not finished: run the same `kate knowledge build` again" in refused(
        "show", tmp_path / "killed"
    )
    said = works(*build, "-o", tmp_path / "killed")
    assert f"summary: 24 written, {len(kept)} of them known before; " in said
    assert lines(tmp_path / "killed" / JOURNAL)[: len(kept)] == kept
    works(*build, "-o", tmp_path / "straight")
    assert load_bank(tmp_path / "killed").items == load_bank(tmp_path / "straight").items
    keys = [json.loads(line)["key"] for line in lines(tmp_path / "killed" / JOURNAL)]
    assert len(keys) == len(set(keys)) == 24


def test_a_build_that_the_user_breaks_off_says_what_is_kept(tmp_path: Path) -> None:
    build = ["build", "bfcl", "--form", "summary", "--limit", "40", *MODEL, "--max-connections", "2"]
    command = [sys.executable, "-c", "from kate_eval.cli import main; main()", "knowledge", *build]
    with subprocess.Popen(
        [*command, "-M", "latency=0.3", "-o", "b"],
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        text=True,
        # A suite that runs in the background ignores interrupts, and what it starts would too.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        end = time.monotonic() + 60
        while not lines(tmp_path / "b" / JOURNAL) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    kept = lines(tmp_path / "b" / JOURNAL)
    assert process.returncode == 130 and 1 <= len(kept) < 40 and all(json.loads(line) for line in kept)
    assert said == (
        f"Interrupted: {len(kept)} answers are kept in b/{JOURNAL}. Run the same command again to go on.\n"
    )
    assert f"40 written, {len(kept)} of them known before" in works(*build, "-o", tmp_path / "b")


@pytest.mark.parametrize("rewrites", [False, True])
def test_a_model_without_its_key_is_one_line_that_names_the_key(
    rewrites: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    asked = ["appworld", "--split", "mini_train", "--rewrite"] if rewrites else ["bfcl", "--model"]
    said = refused("build", *asked, "openai/gpt-4.1", "-o", tmp_path / "b")
    assert "OPENAI_API_KEY" in said and "https://inspect.aisi.org.uk/providers.html" in said
    assert "[bold]" not in said and not (tmp_path / "b").exists()


def test_an_estimate_needs_no_model(tmp_path: Path) -> None:
    asked = ("build", "bfcl", "--form", "summary", *LIMIT, "--estimate", "-o", tmp_path / "b")
    assert works(*asked) == works(*asked, *MODEL)
    assert "about $" in works(*asked, "--price", "2,8")


# --- show and search


def test_showing_a_bank_counts_its_forms_and_classes(bank: Path) -> None:
    held, said = load_bank(bank), works("show", bank)
    assert f"bfcl train, {len(held.items)} items from {len(held.card.sources)} entries" in said
    assert held.card.items_hash in said and "simulated/default" in said
    for form, count in held.card.forms.items():
        assert re.search(rf"{form} +│ {count} ", said), said
    assert all(name in said for name in {name for item in held.items for name in item.classes})


def test_showing_an_item_gives_all_of_it_and_what_a_model_sees(bank: Path) -> None:
    said = works("show", bank, ITEM)
    record, shown = said.split("\nAs a model is shown it:\n")
    assert json.loads(record)["id"] == ITEM
    question = load_entry("multi_turn_base_0").turns[0][0]["content"]
    assert shown.startswith(f"Request: {question}\nCalls that resolved it:\ncd(folder='document')\n")


def test_markup_in_an_item_is_printed_as_it_is(tmp_path: Path) -> None:
    odd = BANK.items[0].model_copy(update={"id": "[red]odd[/]", "question": "[bold]Move[/bold] :train: [/]"})
    save_bank(make_bank([odd], BANK.card), tmp_path / "b")
    assert "[bold]Move[/bold] :train: [/]" in works("show", tmp_path / "b", odd.id)
    assert "Request: [bold]Move[/bold] :train: [/]" in works(
        "search", tmp_path / "b", "move", "--threshold", "0"
    )


def test_searching_finds_what_a_solver_would(bank: Path) -> None:
    text = str(load_entry("multi_turn_base_0").turns[0][0]["content"])
    said = works("search", bank, text, "--form", "trajectory", "-k", "1", "--embedder", "lexical")
    assert said.startswith("trajectory: 1 above ") and f"1.000  {ITEM}\n" in said
    every = works("search", bank, text, "--threshold", "0")
    assert [line.split(":")[0] for line in every.splitlines() if " above 0.0" in line] == [
        "intent",
        "summary",
        "trajectory",
    ]
    assert f"1.000  {ITEM}" in works("search", bank, text, "--classes", "GorillaFileSystem")
    assert "Unknown class 'NoSuchAPI'; choose from: GorillaFileSystem" in refused(
        "search", bank, text, "--classes", "NoSuchAPI, GorillaFileSystem"
    )
    assert "trajectory: 0 above 0.99" in works("search", bank, "zyzzyva", "--threshold", "0.99")
    assert works("search", bank, text, "--select", "diverse") and works(
        "search", bank, text, "--select", "cover"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["show", "BANK", "nothing"], "Unknown item 'nothing'; choose from: multi_turn_base_"),
        (["show", "BANK", "base_0/0/traj"], f"choose from: {ITEM}."),
        (["show", "nowhere"], "No bank in nowhere; found beside it: none. Build it: kate knowledge build"),
        (["search", "nowhere", "text"], "No bank in nowhere"),
        (
            ["search", "BANK", "text", "--match", "exact"],
            "Unknown match 'exact'; choose from: embedder, hybrid",
        ),
        (["search", "BANK", "text", "--select", "random"], "choose from: cover, diverse, top"),
        (["search", "BANK", "text", "--form", "wisdom"], "it has: intent, summary, trajectory. Choose among"),
        (
            ["search", "BANK", "text", "--embedder", "minilm"],
            "by 'lexical', and can't be searched with 'minilm'",
        ),
        (["search", "BANK", "text", "--embedder", "word2vec"], "choose from: lexical, minilm, openai:MODEL"),
        (["merge", "nowhere", "-o", "out"], "No bank in nowhere"),
        (["embed", "nowhere"], "No bank in nowhere"),
        (["embed", "BANK", "--embedder", "word2vec"], "choose from: lexical, minilm, openai:MODEL"),
        (["audit", "nowhere", "--against", "bfcl:test"], "No bank in nowhere"),
        (["audit", "BANK", "--against", "webshop:test"], "webshop"),
        (["import", "nowhere.json", "--from", "kate", "-o", "out"], "nowhere.json"),
    ],
)
def test_what_can_t_be_done_with_a_bank_is_one_line(
    arguments: list[str], says: str, bank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in bank.iterdir()}
    monkeypatch.chdir(tmp_path)
    assert says in refused(*(str(bank) if part == "BANK" else part for part in arguments))
    assert {path.name: path.read_bytes() for path in bank.iterdir()} == before and not Path("out").exists()


# --- merge, embed, audit, import


def test_merging_drops_duplicates_and_keeps_the_first_s_ids(tmp_path: Path) -> None:
    save_bank(make_bank(BANK.items[:6], BANK.card), tmp_path / "a")
    save_bank(make_bank(BANK.items[4:9], BANK.card), tmp_path / "b")
    said = works("merge", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "c")
    assert "c: 9 items, 9 new, hash " in said and load_bank(tmp_path / "c").items == BANK.items[:9]
    assert "9 items, 0 new" in works("merge", tmp_path / "b", "-o", tmp_path / "c")
    other = BANK.card.model_copy(update={"benchmark": "appworld"})
    save_bank(make_bank(BANK.items[:1], other), tmp_path / "d")
    assert "of bfcl, the items are of appworld" in refused("merge", tmp_path / "d", "-o", tmp_path / "c")
    assert load_bank(tmp_path / "c").items == BANK.items[:9]


def test_embedding_by_words_takes_the_vectors_away_and_calibrates(tmp_path: Path) -> None:
    embedder = EmbedderCard(name="minilm", dimension=3, threshold=0.5)
    vectors = unit([[1.0, 0.0, float(n)] for n in range(60)])
    card = BANK.card.model_copy(update={"embedder": embedder})
    save_bank(make_bank(BANK.items[:60], card, vectors), tmp_path / "b")
    assert list((tmp_path / "b").glob("*.npy"))
    assert "embedded by 'minilm', and can't" in refused(
        "search", tmp_path / "b", "x", "--embedder", "openai:m"
    )
    assert "by 'minilm', not by 'lexical'" in refused("search", tmp_path / "b", "x", "--embedder", "lexical")
    said = works("embed", tmp_path / "b", "--embedder", "lexical")
    assert "b: 60 items embedded by lexical, threshold 0." in said and "leave-one-out over 60" in said
    made = load_bank(tmp_path / "b")
    assert made.vectors is None and made.items == BANK.items[:60] and made.card.embedder.threshold < 0.5
    assert not list((tmp_path / "b").glob("*.npy"))


def test_an_audit_names_the_pairs_and_writes_them(bank: Path, tmp_path: Path) -> None:
    against = ("--against", "bfcl:train:multi_turn_base")
    said = works("audit", bank, *against, "--worst", "2", "-o", tmp_path / "audit.json")
    sources = load_bank(bank).card.sources
    assert f"Same entry: {sources[0]} is in the bank as " in said and said.count("\n  asked: ") == 2
    written = json.loads((tmp_path / "audit.json").read_text())
    assert set(written["same_entry"]) >= set(sources) and written["entries"]["all"]["entries"] == 100
    assert written["entries"]["all"]["same_question"] >= len(sources)


def test_a_published_bank_is_imported(tmp_path: Path) -> None:
    published = tmp_path / "published.json"
    published.write_text(json.dumps(one_entry()))
    told = ("import", published, "--from", "kate", "-o", tmp_path / "b")
    said = works(*told, "--notes", tmp_path / "notes")
    assert "which an import does not replace" in refused(*told)
    held = load_bank(tmp_path / "b")
    assert f"b: {len(held.items)} items (" in said and held.card.items_hash in said
    assert {item.form for item in held.items} == {"summary", "trajectory"}
    assert all(json.loads(line) for line in (tmp_path / "notes").read_text().splitlines())
