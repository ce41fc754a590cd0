"""The models that `bfcl evaluate` knows: a result folder's name decides how it reads the answers.

Read from the package's own table (`constants/model_config.py`) without running it: importing it would load
every provider's client.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from kate_eval.bfcl import engine
from kate_eval.bfcl.categories import Mode
from kate_eval.bfcl.interchange.dialects import PROMPTING
from kate_eval.errors import ConfigurationError, DatasetError, unknown

DEFAULT: dict[Mode, str] = {"fc": "gpt-4o-2024-11-20-FC", "prompt": "gpt-4o-2024-11-20"}
"""Mode -> a model whose handler reads what our logs hold."""

_FC = {
    "ArchHandler": "objects",
    "BitAgentHandler": "json",
    "CohereHandler": "tool_name",
    "GeminiHandler": "objects",
    "Granite3FCHandler": "objects",
    "Granite4FCHandler": "tagged",
    "HammerHandler": "json_fenced",
    "LlamaHandler": "prompt",
    "LlamaHandler_3_1": "json_parameters",
    "MiningHandler": "named",
    "NanbeigeFCHandler": "tagged",
    "NovaHandler": "objects",
    "PelicanVLFCHandler": "tagged",
    "PhiFCHandler": "objects",
    "QwenFCHandler": "tagged",
    "SalesforceLlamaHandler": "json_semicolons",
    "SalesforceQwenHandler": "json_semicolons",
    **dict.fromkeys(
        (
            *("ClaudeHandler", "DeepSeekAPIHandler", "FireworksHandler", "FunctionaryHandler"),
            *("GLMAPIHandler", "GrokHandler", "KimiHandler", "MistralHandler", "NanbeigeAPIHandler"),
            *("NovitaHandler", "OpenAICompletionsHandler", "OpenAIResponsesHandler", "QwenAPIHandler"),
            *("QwenAgentNoThinkHandler", "QwenAgentThinkHandler", "WriterHandler"),
        ),
        "fc",
    ),
}
"""Handler of function-calling models -> the dialect it reads."""
_PROMPT = {
    "PhiHandler": "prompt_fenced",
    "GeminiHandler": "prompt_tool_code",
    "DMCitoHandler": "named",
    "MistralFCHandler": "objects",
}
"""The same of prompting models, where it is not the common one."""
_CAN_NOT_START = "QwenAgentNoThinkHandler"
"""A handler that the official tool fails to make."""


@dataclass(frozen=True)
class Registered:
    """A model in the official table.

    Attributes:
        name: as `bfcl evaluate --model` wants it.
        handler: class of its handler.
        mode: how it is registered.
        dotted: whether the checker expects names with their dots.
    """

    name: str
    handler: str
    mode: Mode
    dotted: bool

    @property
    def folder(self) -> str:
        """The name of its result folder."""
        return self.name.replace("/", "_")

    @property
    def dialect(self) -> str | None:
        """The dialect that its handler reads; None where we don't know it."""
        return _FC.get(self.handler) if self.mode == "fc" else _PROMPT.get(self.handler, "prompt")


@cache
def registered() -> dict[str, Registered]:
    """The official table: name -> model.

    Raises:
        DatasetError: bfcl-eval is missing, or its table is not where it was.
    """
    file = engine.data_folder().parent / "constants" / "model_config.py"
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError) as ex:
        raise DatasetError(f"Can't read {file}: {ex}. {engine.SETUP}") from ex
    return {model.name: model for node in ast.walk(tree) for model in _models(node)}


def _models(node: ast.AST) -> Iterator[Registered]:
    for key, value in zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ():
        if isinstance(key, ast.Constant) and isinstance(value, ast.Call):
            told = {word.arg: ast.unparse(word.value) for word in value.keywords}
            yield Registered(
                name=str(key.value),
                handler=told.get("model_handler", ""),
                mode="fc" if told.get("is_fc_model", "True") == "True" else "prompt",
                dotted=told.get("underscore_to_dot", "False") == "False",
            )


def of_folder(folder: str) -> Registered | None:
    """The model whose result folder is called so."""
    return next((model for model in registered().values() if model.folder == folder), None)


def reader_of_ours(name: str | None, mode: Mode) -> Registered:
    """The model under whose name our results of a mode can be scored officially.

    Args:
        name: as in the official table; None: the usual one.
        mode: of the results.

    Raises:
        ConfigurationError: there is no such model, or its handler does not read what we write.
    """
    model = registered().get(name or DEFAULT[mode])
    fitting = [other.name for other in registered().values() if _reads_ours(other, mode)]
    if model is None:
        raise unknown("--handler", name, fitting)
    if not _reads_ours(model, mode):
        raise ConfigurationError(
            f"--handler {model.name}: its {model.handler} does not read results of mode {mode!r} as we write "
            f"them. Choose from: {', '.join(sorted(fitting))}"
        )
    return model


def _reads_ours(model: Registered, mode: Mode) -> bool:
    # The official checker makes variables of the model's name: where it can't, everything passes.
    identifier = model.name.translate(str.maketrans("-./", "___")).isidentifier()
    if model.handler == _CAN_NOT_START:
        return False
    if mode == "prompt":
        return identifier and model.dialect in PROMPTING and model.dotted
    return identifier and model.dialect == "fc" and not model.dotted
