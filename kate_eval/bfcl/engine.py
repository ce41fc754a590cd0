"""The one module that imports bfcl_eval: its data folder, executable classes, checkers and prompts.

Source: bfcl-eval 2026.3.23, installed without its dependencies. Two things about importing it:
its `ast_checker` imports `constants.model_config` (every provider's SDK) for one boolean, so a
two-entry stand-in is in `sys.modules` during the import; and `constants.eval_config` creates folders
under BFCL_PROJECT_ROOT, so that points to a temporary folder meanwhile.

Nothing here gets a name or text that a model wrote, except where the official function only compares
it (checkers) or parses it without evaluating (Java and JavaScript through tree-sitter).
"""

import copy
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Self

from inspect_ai.tool import ToolInfo, ToolParams

from kate_eval.bfcl.categories import Mode, language_of
from kate_eval.errors import DatasetError

BFCL_EVAL_VERSION = "2026.3.23"
SETUP = "Run: kate bfcl setup"
REQUIREMENTS = Path(__file__).parent / "requirements.txt"


def require() -> None:
    """Check that the pinned bfcl-eval is installed (without importing it).

    Raises:
        DatasetError: it is missing, or of another version.
    """
    try:
        found = importlib.metadata.version("bfcl-eval")
    except importlib.metadata.PackageNotFoundError:
        raise DatasetError(f"bfcl-eval {BFCL_EVAL_VERSION} is not installed. {SETUP}") from None
    if found != BFCL_EVAL_VERSION:
        raise DatasetError(
            f"bfcl-eval {found} is installed; scores are verified against {BFCL_EVAL_VERSION} only. {SETUP}"
        )


def data_folder() -> Path:
    """The folder with the benchmark's data files.

    Raises:
        DatasetError: the pinned bfcl-eval is not installed, or its data is gone.
    """
    require()
    spec = importlib.util.find_spec("bfcl_eval")
    folder = Path(next(iter(spec.submodule_search_locations or []), "")) / "data" if spec else Path()
    if not folder.is_dir():
        raise DatasetError(f"bfcl-eval is installed without its data (looked in {folder}). {SETUP}")
    return folder


@dataclass(frozen=True)
class Official:
    """The official functions and constants that we use, imported once."""

    ast_checker: Callable[..., dict[str, Any]]
    state_checker: Callable[..., dict[str, Any]]
    response_checker: Callable[..., dict[str, Any]]
    is_call_format: Callable[[Any], bool]
    is_empty_output: Callable[[Any], bool]
    language: Any
    add_hints: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
    convert_to_tool: Callable[..., list[dict[str, Any]]]
    gorilla_to_openapi: Mapping[str, str]
    openai_style: Any
    add_system_prompt: Callable[..., list[dict[str, Any]]]
    parse_java: Callable[[str], Any]
    parse_javascript: Callable[[str], Any]
    class_modules: Mapping[str, str]
    stateless_classes: Sequence[str]
    doc_files: Mapping[str, str]
    more_functions_fc: str
    more_functions_prompt: str
    max_steps: int


_STAND_INS = {
    "fc": SimpleNamespace(underscore_to_dot=True),
    "prompt": SimpleNamespace(underscore_to_dot=False),
}
"""Model name given to the checker -> its configuration: whether names had their dots replaced."""


@contextmanager
def _light_import() -> Iterator[None]:
    """Make `import bfcl_eval...` cheap and free of side effects (see the module's docstring)."""
    name = "bfcl_eval.constants.model_config"
    stand_in = ModuleType(name)
    vars(stand_in)["MODEL_CONFIG_MAPPING"] = _STAND_INS
    before = os.environ.get("BFCL_PROJECT_ROOT")
    real = sys.modules.get(name)
    sys.modules[name] = stand_in
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["BFCL_PROJECT_ROOT"] = scratch
        try:
            yield
        finally:
            del sys.modules[name]
            if real is not None:
                sys.modules[name] = real
            os.environ.pop("BFCL_PROJECT_ROOT")
            if before is not None:
                os.environ["BFCL_PROJECT_ROOT"] = before


@cache
def official() -> Official:
    """Import what we use of bfcl_eval (0.2 s), once.

    Raises:
        DatasetError: the pinned bfcl-eval is not installed.
    """
    require()
    with _light_import():
        ast_checker = importlib.import_module("bfcl_eval.eval_checker.ast_eval.ast_checker")
        multi_turn = importlib.import_module("bfcl_eval.eval_checker.multi_turn_eval.multi_turn_checker")
        utils = importlib.import_module("bfcl_eval.utils")
        handler = importlib.import_module("bfcl_eval.model_handler.utils")
        enums = importlib.import_module("bfcl_eval.constants.enums")
        backend = importlib.import_module("bfcl_eval.constants.executable_backend_config")
        prompts = importlib.import_module("bfcl_eval.constants.default_prompts")
        types = importlib.import_module("bfcl_eval.constants.type_mappings")
    # If somebody imported the checker before us, it has the real mapping: ours are added to it.
    known = vars(ast_checker)["MODEL_CONFIG_MAPPING"]
    vars(ast_checker)["MODEL_CONFIG_MAPPING"] = {**known, **_STAND_INS}
    return Official(
        ast_checker=ast_checker.ast_checker,
        state_checker=multi_turn.state_checker,
        response_checker=multi_turn.response_checker,
        is_call_format=utils.is_function_calling_format_output,
        is_empty_output=utils.is_empty_output,
        language=enums.Language,
        add_hints=utils.add_language_specific_hint_to_function_doc,
        convert_to_tool=handler.convert_to_tool,
        gorilla_to_openapi=types.GORILLA_TO_OPENAPI,
        openai_style=enums.ModelStyle.OPENAI_COMPLETIONS,
        add_system_prompt=handler.system_prompt_pre_processing_chat_model,
        parse_java=handler.parse_java_function_call,
        parse_javascript=handler.parse_javascript_function_call,
        class_modules=backend.CLASS_FILE_PATH_MAPPING,
        stateless_classes=backend.STATELESS_CLASSES,
        doc_files=backend.MULTI_TURN_FUNC_DOC_FILE_MAPPING,
        more_functions_fc=prompts.DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_FC,
        more_functions_prompt=prompts.DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_PROMPTING,
        max_steps=prompts.MAXIMUM_STEP_LIMIT,
    )


def hinted(docs: Sequence[dict[str, Any]], entry_id: str) -> list[dict[str, Any]]:
    """Copies of function docs as the model sees them: with the language hint of the entry's category."""
    entries = [{"id": entry_id, "function": copy.deepcopy(list(docs))}]
    functions: list[dict[str, Any]] = official().add_hints(entries)[0]["function"]
    return functions


class SharedParams(ToolParams):
    """Parameters that copies of a tool share, because nothing changes them.

    Inspect copies every tool deeply at least twice per request: a sixth of the CPU of a multi-turn run,
    whose 30 or so schemas never change.
    """

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self


class LightTool(ToolInfo):
    """A tool whose deep copies are shallow: its texts never change, its parameters are shared."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy; never a deep one."""
        return super().model_copy(update=update)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return super().model_copy()


def tool_info(doc: Mapping[str, Any]) -> ToolInfo:
    """A function doc as an Inspect tool, through the official schema conversion.

    Departures: fields that Inspect's tool schema doesn't have are left out ("response", "optional",
    "maxItems", "minItems"; none changes what a call may be).
    """
    api = official()
    [tool] = api.convert_to_tool([dict(doc)], api.gorilla_to_openapi, api.openai_style)
    function = tool["function"]
    parameters = function["parameters"]
    return LightTool(
        name=function["name"],
        description=function["description"],
        parameters=SharedParams(properties=parameters["properties"], required=parameters.get("required", [])),
    )


def with_system_prompt(
    messages: Sequence[dict[str, Any]], docs: Sequence[dict[str, Any]], entry_id: str
) -> list[dict[str, Any]]:
    """Prompting mode: the first turn's messages with the official system prompt in front."""
    return official().add_system_prompt(copy.deepcopy(list(messages)), list(docs), entry_id)


def new_instance(class_name: str, config: Mapping[str, Any], long_context: bool) -> Any:
    """A fresh instance of an executable class, isolated from every other.

    The deep copy cuts the references that `_load_scenario` keeps into module-level data (the
    long-context extensions), which a call could otherwise change for all later instances.
    """
    api = official()
    if class_name not in api.class_modules:
        raise DatasetError(f"bfcl-eval has no executable class {class_name!r}")
    instance = getattr(importlib.import_module(api.class_modules[class_name]), class_name)()
    if class_name not in api.stateless_classes:
        instance._load_scenario(copy.deepcopy(config.get(class_name, {})), long_context=long_context)
    return copy.deepcopy(instance)


def check_ast(
    docs: Sequence[dict[str, Any]],
    decoded: list[dict[str, Any]],
    gold: Sequence[Any],
    category: str,
    mode: Mode,
) -> dict[str, Any]:
    """The official single-turn checker's verdict on decoded calls."""
    api = official()
    language = api.language(language_of(category))
    return api.ast_checker(list(docs), decoded, list(gold), language, category, mode)
