"""From a conversation to token ids, the same that a vLLM server makes for the same chat request.

A mismatch between training and serving can ruin a model without any other sign (parity.py checks for it).
Knows tokenizers only by what transformers' have: apply_chat_template, a call, decode.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, Protocol

from kate_eval.errors import TrainingError
from kate_eval.trainers.row import Json, Row
from kate_eval.trainers.template import prepared_messages, prepared_tools

TEMPLATES = {"hermes": files("kate_eval.endpoints.serve") / "hermes.jinja"}
"""Chat templates of ours, by name."""
_RENDERING = 1
"""Goes up when the same template and row would give other ids."""


def no_template(model: str) -> str:
    """What is said of a model without a chat template."""
    return (
        f"{model} has no chat template: it is a base model, which no chat request can be rendered for. Take "
        "the instruct model, or give a template: --chat-template FILE.jinja, or one of ours: "
        f"{', '.join(TEMPLATES)}"
    )


class Tokenizer(Protocol):
    """What a renderer needs of a transformers tokenizer."""

    chat_template: Any
    eos_token_id: int | None
    name_or_path: str

    def apply_chat_template(self, conversation: Any, **options: Any) -> Any:
        """The conversation as text."""

    def get_chat_template(self, chat_template: str | None, tools: Any) -> str:
        """The template for requests with these tools."""

    def __call__(self, text: str, **options: Any) -> Any:
        """The text's ids, under "input_ids"."""

    def decode(self, ids: Sequence[int], **options: Any) -> Any:
        """The ids' text."""

    def save_pretrained(self, folder: Any) -> Any:
        """Write it to a folder."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A row's ids: what the model is shown, and what it should answer, its end of turn included."""

    prompt: list[int]
    completion: list[int]


class Renderer:
    """Renders chats with a tokenizer's template.

    Args:
        tokenizer: of the base model.
        template_kwargs: given to the template, as `chat_template_kwargs` of a request (enable_thinking).
        stop_ids: ids that end the model's turn besides the tokenizer's end-of-sequence token.

    Raises:
        TrainingError: the tokenizer has no chat template.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        template_kwargs: Mapping[str, Any] | None = None,
        stop_ids: Collection[int] = (),
    ) -> None:
        if not tokenizer.chat_template:
            raise TrainingError(no_template(tokenizer.name_or_path))
        self.tokenizer = tokenizer
        self.template_kwargs = dict(template_kwargs or {})
        self.stop_ids = {*stop_ids} - {None}
        if tokenizer.eos_token_id is not None:
            self.stop_ids.add(tokenizer.eos_token_id)

    @cached_property
    def hash(self) -> str:
        """Of all that decides over the ids but the vocabulary: 16 hex digits."""
        text = json.dumps(
            [_RENDERING, self.tokenizer.chat_template, self.template_kwargs], sort_keys=True, default=str
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def prompt_ids(self, messages: Sequence[Json], tools: Sequence[Json] = ()) -> list[int]:
        """What a server shows the model for a chat request.

        Raises:
            TrainingError: the template refuses the messages.
        """
        return self._ids(self.text(messages, tools))

    def completion_ids(self, messages: Sequence[Json], tools: Sequence[Json], completion: Json) -> list[int]:
        """What the model should write after the prompt, up to the token that ends its turn.

        Raises:
            TrainingError: the template writes the prompt otherwise once the answer follows, or does not
                end the answer with a token that stops the model.
        """
        return self._render(messages, tools, completion).completion

    def row(self, row: Row) -> Rendered:
        """A row's ids.

        Raises:
            TrainingError: as completion_ids; it names the row.
        """
        try:
            return self._render(row.messages, row.tools, row.completion)
        except TrainingError as ex:
            raise TrainingError(f"Row {row.id}: {ex}") from ex

    def text(self, messages: Sequence[Json], tools: Sequence[Json] = (), *, asked: bool = True) -> str:
        """A conversation as the template writes it.

        Args:
            messages: of the chat request.
            tools: likewise.
            asked: whether the model is to answer next.
        """
        from kate_eval.trainers.loops import content_form

        offered = prepared_tools(tools) or None
        template = self.tokenizer.get_chat_template(None, tools=offered)
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    prepared_messages(messages, content_form(template)),
                    tools=offered,
                    chat_template=template,
                    tokenize=False,
                    add_generation_prompt=asked,
                    **self.template_kwargs,
                )
            )
        except TrainingError:
            raise
        except Exception as ex:  # a template is a program of others, and raises what it likes
            raise TrainingError(f"The chat template refuses the conversation: {ex}") from ex

    def decode(self, ids: Sequence[int]) -> str:
        """The ids' text, with every special token."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def _ids(self, text: str) -> list[int]:
        # Long rows are counted by the trainer; the tokenizer need not warn of each.
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _render(self, messages: Sequence[Json], tools: Sequence[Json], completion: Json) -> Rendered:
        before = self.text(messages, tools)
        whole = self.text([*messages, completion], tools, asked=False)
        if not whole.startswith(before):
            raise TrainingError(f"the chat template is not stable. {_parting(before, whole)}")
        prompt, ids = self._ids(before), self._ids(whole)
        answer = ids[len(prompt) :] if ids[: len(prompt)] == prompt else self._alone(whole[len(before) :])
        return Rendered(prompt, self._until_stop(answer))

    def _alone(self, text: str) -> list[int]:
        """An answer of which the first letters would join the prompt's last token, which is past then."""
        ids = self._ids(text)
        if self.decode(ids) != text:
            raise TrainingError(
                "the tokenizer joins the answer to the prompt: no ids of its own can be found"
            )
        return ids

    def _until_stop(self, ids: list[int]) -> list[int]:
        last = max((place for place, one in enumerate(ids) if one in self.stop_ids), default=None)
        if last is None or self.decode(ids[last + 1 :]).strip():
            stops = ", ".join(repr(self.decode([one])) for one in sorted(self.stop_ids)) or "none known"
            raise TrainingError(
                f"the chat template ends an answer with {self.decode(ids[-3:])!r}, which does not stop the "
                f"model ({stops} would): it would not learn to stop. Name its last token: --eos-token TOKEN"
            )
        return ids[: last + 1]


def _parting(before: str, whole: str) -> str:
    """Where the prompt alone and the prompt with its answer part."""
    place = next((i for i, (a, b) in enumerate(zip(before, whole, strict=False)) if a != b), len(whole))
    shown = slice(max(0, place - 40), place + 40)
    return (
        "It writes the prompt otherwise once the answer follows, so that what is learnt is not what is "
        f"asked: alone {before[shown]!r}, with the answer {whole[shown]!r}. Another template, or other "
        "template arguments (--template-args), may keep it"
    )
