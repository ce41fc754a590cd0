"""Calls as models write them: every form, with noise around it. The inverse of kate_eval.recovery."""

import json
from collections.abc import Callable, Sequence

from kate_eval.episode import Call

Calls = Sequence[Call]


def _object(call: Call, key: str = "arguments") -> str:
    return json.dumps({"name": call.name, key: call.arguments}, ensure_ascii=False)


def hermes(calls: Calls) -> str:
    return "\n".join(f"<tool_call>\n{_object(call)}\n</tool_call>" for call in calls)


def hermes_unclosed(calls: Calls) -> str:
    return "\n".join(f"<tool_call>\n{_object(call)}" for call in calls)


def hermes_without_the_last_brace(calls: Calls) -> str:
    return "\n".join(f"<tool_call>\n{_object(call)[:-1]}\n</tool_call>" for call in calls)


def hermes_string_arguments(calls: Calls) -> str:
    return "\n".join(
        f"<tool_call>{json.dumps({'name': call.name, 'arguments': json.dumps(call.arguments)})}</tool_call>"
        for call in calls
    )


def hermes_python_literals(calls: Calls) -> str:
    return "\n".join(
        f"<tool_call>{ {'name': call.name, 'arguments': call.arguments}!r}</tool_call>" for call in calls
    )


def json_list(calls: Calls) -> str:
    return f"[{', '.join(map(_object, calls))}]"


def json_fenced(calls: Calls) -> str:
    return f"```json\n{json_list(calls)}\n```"


def json_openai(calls: Calls) -> str:
    return json.dumps(
        [
            {
                "id": f"c{n}",
                "type": "function",
                "function": {"name": c.name, "arguments": json.dumps(c.arguments)},
            }
            for n, c in enumerate(calls)
        ]
    )


def json_trailing_commas(calls: Calls) -> str:
    return "[" + ", ".join(_object(call)[:-1] + ",}" for call in calls) + ",]"


def pythonic(calls: Calls) -> str:
    return f"[{', '.join(map(_python, calls))}]"


def _python(call: Call) -> str:
    return f"{call.name}({', '.join(f'{name}={value!r}' for name, value in call.arguments.items())})"


def llama(calls: Calls) -> str:
    return "<|python_tag|>" + "; ".join(_object(call, "parameters") for call in calls) + "<|eom_id|>"


def llama_function(calls: Calls) -> str:
    return "\n".join(f"<function={call.name}>{json.dumps(call.arguments)}</function>" for call in calls)


def qwen_coder(calls: Calls) -> str:
    return "\n".join(f"<tool_call>\n{_function(call)}\n</tool_call>" for call in calls)


def qwen_coder_without_the_first_tag(calls: Calls) -> str:
    return "\n".join(f"{_function(call)}\n</tool_call>" for call in calls)


def _function(call: Call) -> str:
    parameters = "".join(
        f"<parameter={key}>\n{value if isinstance(value, str) else json.dumps(value)}\n</parameter>\n"
        for key, value in call.arguments.items()
    )
    return f"<function={call.name}>\n{parameters}</function>"


def mistral_list(calls: Calls) -> str:
    return "[TOOL_CALLS]" + json_list(calls)


def mistral_named(calls: Calls) -> str:
    return "".join(f"[TOOL_CALLS]{call.name}{json.dumps(call.arguments)}" for call in calls)


def mistral_args(calls: Calls) -> str:
    return "".join(
        f"[TOOL_CALLS]{call.name}[CALL_ID]a1b2c3d4e[ARGS]{json.dumps(call.arguments)}" for call in calls
    )


def deepseek(calls: Calls) -> str:
    inner = "\n".join(
        f"<｜tool▁call▁begin｜>function<｜tool▁sep｜>{call.name}\n```json\n{json.dumps(call.arguments)}\n```<｜tool▁call▁end｜>"
        for call in calls
    )
    return f"<｜tool▁calls▁begin｜>{inner}<｜tool▁calls▁end｜><｜end▁of▁sentence｜>"


def deepseek_short(calls: Calls) -> str:
    inner = "".join(
        f"<｜tool▁call▁begin｜>{call.name}<｜tool▁sep｜>{json.dumps(call.arguments)}<｜tool▁call▁end｜>"
        for call in calls
    )
    return f"<｜tool▁calls▁begin｜>{inner}<｜tool▁calls▁end｜>"


Form = Callable[[Calls], str]
MARKED: list[Form] = [
    hermes,
    hermes_unclosed,
    hermes_without_the_last_brace,
    hermes_string_arguments,
    hermes_python_literals,
    llama,
    llama_function,
    qwen_coder,
    qwen_coder_without_the_first_tag,
    mistral_list,
    mistral_named,
    mistral_args,
    deepseek,
    deepseek_short,
]
OBJECTS: list[Form] = [json_list, json_fenced, json_openai, json_trailing_commas]
FORMS: list[Form] = [*MARKED, *OBJECTS, pythonic]
TYPED_BY_SCHEMA: list[Form] = [qwen_coder, qwen_coder_without_the_first_tag]


def carries(form: Form, calls: Calls) -> bool:
    """Whether the form can hold these arguments: without quotes it can't write its own tags in a text."""
    tags = ("<parameter=", "</parameter>", "<function=", "</function>")
    return form not in TYPED_BY_SCHEMA or not any(tag in repr(call) for call in calls for tag in tags)
