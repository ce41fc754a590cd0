"""Plays and scores cases with the unmodified bfcl_eval. Runs in its environment; imports nothing of ours.

    python official_driver.py CASES VERDICTS SCRATCH --jobs 2

CASES and VERDICTS are folders: one JSON-lines file per group of cases. Every group is generated in one
forked process and evaluated in another, as by `bfcl generate` and `bfcl evaluate`, because bfcl_eval
keeps its executable instances in module globals for ever. Overridden are only the two methods that ask
a server for an answer; the verdict is what the official runner writes to its score files.
"""

import argparse
import hashlib
import importlib
import json
import multiprocessing
import os
import re
import shutil
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

MODELS = {"fc": "gpt-4o-2024-11-20-FC", "prompt": "gpt-4o-2024-11-20"}
"""Registered models; their registered handler decodes answers exactly as the one subclassed here."""
DONE = "Done."
SHORT = 400
STOPPED = "official run stopped: "

Json = dict[str, Any]
ENTRIES: dict[str, Json] = {}


def read_lines(path: Path) -> list[Json]:
    """The objects of a JSON-lines file."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write_lines(path: Path, objects: Iterable[Json]) -> None:
    """Write a JSON-lines file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(item) + "\n" for item in objects), encoding="utf-8")


def completion(answer: Json) -> Any:
    """A scripted answer as the OpenAI client would return it."""
    from openai.types.chat import ChatCompletion

    message = {"role": "assistant", "content": answer["text"]}
    if answer["calls"] is not None:
        message["tool_calls"] = [
            {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for n, (name, arguments) in enumerate(answer["calls"])
        ]
    return ChatCompletion.model_validate(
        {
            "id": "scripted",
            "object": "chat.completion",
            "created": 0,
            "model": "scripted",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
    )


def scripted_handler(mode: str) -> Any:
    """The official handler, with a script for a server."""
    from bfcl_eval.constants.model_config import MODEL_CONFIG_MAPPING
    from bfcl_eval.model_handler.api_inference.openai_completion import OpenAICompletionsHandler

    class ScriptedHandler(OpenAICompletionsHandler):  # type: ignore[misc]
        def play(self, script: Sequence[Json]) -> None:
            self.script = iter(script)
            self.messages: list[Any] = []
            self.offered: list[list[str]] = []

        def _query_FC(self, inference_data: Json) -> tuple[Any, float]:
            self.offered.append(sorted(tool["function"]["name"] for tool in inference_data["tools"]))
            return self._answer(inference_data)

        def _query_prompting(self, inference_data: Json) -> tuple[Any, float]:
            return self._answer(inference_data)

        def _answer(self, inference_data: Json) -> tuple[Any, float]:
            self.messages = inference_data["message"]
            return completion(next(self.script, {"text": DONE, "calls": None})), 0.0

    config = MODEL_CONFIG_MAPPING[MODELS[mode]]
    return ScriptedHandler(config.model_name, 0, registry_name=MODELS[mode], is_fc_model=config.is_fc_model)


def brief(text: str) -> str:
    """The text with sets in a fixed order; a long one as its digest."""
    text = re.sub(r"(one of )\{([^{}]*)\}", lambda m: m[1] + ", ".join(sorted(m[2].split(", "))), text)
    return (
        text if len(text) <= SHORT else f"#{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:24]}"
    )


def generate(cases: Sequence[Json], result_dir: Path) -> list[Json]:
    """Run the official inference loop over each case and write its result with the official writer."""
    from bfcl_eval._llm_response_generation import multi_threaded_inference

    handler = scripted_handler(cases[0]["mode"])
    records, results = [], []
    for case in cases:
        handler.play(case["script"])
        line = multi_threaded_inference(handler, ENTRIES[case["id"]], False, True)
        result = line["result"]
        failed = isinstance(result, str) and "traceback" in line
        if case["keep_turns"] is not None:
            result = result[: case["keep_turns"]]
        results.append({"id": line["id"], "result": result})
        multi_turn = case["category"].startswith("multi_turn") and not failed
        records.append(
            {
                "key": case["key"],
                "id": case["id"],
                "shape": [len(turn) for turn in result] if multi_turn else None,
                "shown": [
                    brief(f"{m['role']}: {m['content']}") for m in handler.messages if isinstance(m, dict)
                ],
                "offered": hashlib.sha256(json.dumps(handler.offered).encode()).hexdigest()[:24],
                "failed": result if failed else "",
            }
        )
    handler.write(results, result_dir)
    return records


def evaluate(mode: str, categories: list[str], result_dir: Path, score_dir: Path) -> dict[str, str]:
    """Run the official runner over result files; returns entry id -> error type ("" for correct)."""
    from bfcl_eval.eval_checker import eval_runner

    eval_runner.runner([MODELS[mode]], categories, result_dir, score_dir, allow_missing=True)
    verdicts: dict[str, str] = {}
    for file in result_dir.rglob("*_result.json"):
        ids = [line["id"] for line in read_lines(file)]
        score = score_dir / file.relative_to(result_dir).with_name(file.name.replace("_result", "_score"))
        header, *wrong = read_lines(score)
        counted = (header["total_count"], header["correct_count"])
        assert counted == (len(ids), len(ids) - len(wrong)), f"{score} contradicts itself"
        verdicts.update(dict.fromkeys(ids, ""))
        verdicts.update({line["id"]: line.get("error_type") or line["error"]["error_type"] for line in wrong})
    return verdicts


def shared_data() -> dict[str, str]:
    """What all instances of the executable classes share: module-level data and mutable defaults."""
    from bfcl_eval.constants.executable_backend_config import BACKEND_PATH_PREFIX

    found = {}
    for name, module in list(sys.modules.items()):
        if not name.startswith(BACKEND_PATH_PREFIX):
            continue
        short = name.rpartition(".")[2]
        data = {key: value for key, value in vars(module).items() if key.isupper()}
        data.pop("LONG_WEATHER_EXTENSION", None)  # written by every call that reads it
        found.update({f"{short}.{key}": repr(value) for key, value in data.items()})
        for owner in (value for value in vars(module).values() if isinstance(value, type)):
            methods = {key: getattr(value, "__defaults__", None) for key, value in vars(owner).items()}
            found.update({f"{owner.__name__}.{key}": repr(value) for key, value in methods.items() if value})
    return found


def in_child(function: Callable[..., Any], *arguments: Any) -> Json:
    """The function's result from a forked process: {"value": ..., "leaked": [...]} or {"raised": ...}.

    "leaked" names the shared data that the function changed.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        before = shared_data()
        try:
            answer: Json = {"value": function(*arguments)}
            answer["leaked"] = [
                name for name, value in shared_data().items() if before.get(name, value) != value
            ]
        except BaseException as ex:  # whatever stopped the official code is the parent's to judge
            answer = {"raised": f"{type(ex).__name__}: {ex}"[:300], "where": traceback.format_exc(limit=-3)}
        with os.fdopen(write, "w") as pipe:
            json.dump(answer, pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else {"raised": "the process died"}


def score(mode: str, result_dir: Path, scratch: Path, leaked: set[str]) -> dict[str, str]:
    """The verdicts on a folder of results. Where the official run stops, its parts are scored apart.

    `leaked` gathers the names of shared data that scoring changed.
    """
    results = {file: read_lines(file) for file in sorted(result_dir.rglob("*_result.json"))}
    categories = sorted({line["id"].rpartition("_")[0] for lines in results.values() for line in lines})
    answer = in_child(evaluate, mode, categories, result_dir, scratch / "score")
    if "value" in answer:
        leaked.update(answer["leaked"])
        return dict(answer["value"])
    parts = list(results.items())
    if len(parts) == 1:
        [(file, lines)] = parts
        if len(lines) == 1:
            return {lines[0]["id"]: STOPPED + answer["raised"]}
        parts = [(file, lines[: len(lines) // 2]), (file, lines[len(lines) // 2 :])]
    verdicts: dict[str, str] = {}
    for number, (file, lines) in enumerate(parts):
        folder = scratch / str(number)
        write_lines(folder / "result" / file.relative_to(result_dir), lines)
        verdicts.update(score(mode, folder / "result", folder, leaked))
    return verdicts


def play_group(task: tuple[Path, Path, Path]) -> None:
    """Generate and score one group of cases."""
    file, verdicts_file, scratch = task
    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - for the process's whole life
    cases = read_lines(file)
    generated = in_child(generate, cases, scratch / "result")
    if "raised" in generated:
        raise RuntimeError(f"{file.stem}: {generated['raised']}\n{generated.get('where')}")
    leaked = set(generated["leaked"])
    verdicts = score(cases[0]["mode"], scratch / "result", scratch, leaked)
    for record in generated["value"]:
        record.update(verdict=verdicts[record["id"]], leaked=sorted(leaked))
    write_lines(verdicts_file, generated["value"])
    shutil.rmtree(scratch)


def load_official() -> None:
    """Import bfcl_eval and its entries once, before the forks."""
    from bfcl_eval import _llm_response_generation  # noqa: F401
    from bfcl_eval.constants.executable_backend_config import CLASS_FILE_PATH_MAPPING
    from bfcl_eval.eval_checker import eval_runner  # noqa: F401
    from bfcl_eval.utils import load_dataset_entry, parse_test_category_argument

    for category in parse_test_category_argument(["single_turn", "multi_turn"]):
        ENTRIES.update({entry["id"]: entry for entry in load_dataset_entry(category)})
    for name in {name for entry in ENTRIES.values() for name in entry.get("involved_classes", ())}:
        importlib.import_module(CLASS_FILE_PATH_MAPPING[name])


def main() -> None:
    """Play every group of cases in a folder."""
    parser = argparse.ArgumentParser()
    for name in ("cases", "verdicts", "scratch"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    root = arguments.scratch / "root"
    root.mkdir(parents=True, exist_ok=True)
    os.environ.update(BFCL_PROJECT_ROOT=str(root), OPENAI_API_KEY="unused")
    load_official()
    files = sorted(arguments.cases.glob("*.jsonl"), key=lambda file: -file.stat().st_size)
    tasks = [(file, arguments.verdicts / file.name, arguments.scratch / file.stem) for file in files]
    with multiprocessing.get_context("fork").Pool(arguments.jobs, maxtasksperchild=1) as pool:
        pool.map(play_group, tasks, chunksize=1)


if __name__ == "__main__":
    main()
