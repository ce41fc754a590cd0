"""Checks through Inspect's own provider: what of it all arrives in the harness."""

import anyio
from inspect_ai.model import ContentReasoning, GenerateConfig, Model, ModelOutput
from inspect_ai.tool import ToolInfo, ToolParam, ToolParams

from kate_eval.endpoints.probe.choices import RANDOM, THINK, THINKING
from kate_eval.endpoints.probe.findings import Finding, no, unsure, yes
from kate_eval.endpoints.probe.tools import ASKED

WIDTH = 2
WEATHER = ToolInfo(
    name="get_weather",
    description="The weather in a city.",
    parameters=ToolParams(
        properties={"city": ToolParam(type="string", description="A city.")}, required=["city"]
    ),
)


async def ask(
    model: Model, text: str, seconds: float, tools: list[ToolInfo] | None = None, width: int | None = None
) -> ModelOutput | str:
    """An output, or why there is none. Whatever a provider raises is a reason here, not an error."""
    config = GenerateConfig(
        temperature=1.0, max_tokens=48, num_choices=width, max_retries=0, timeout=max(1, round(seconds))
    )
    try:
        with anyio.fail_after(seconds):
            return await model.generate(text, tools=tools or [], config=config)
    except TimeoutError:
        return f"no answer within {seconds:g} s"
    except Exception as ex:  # a provider's errors are its own
        return f"{type(ex).__name__}: {' '.join(str(ex.__cause__ or ex).split())[:300]}"


async def arrives(model: Model, seconds: float) -> list[Finding]:
    """Choices and usage through Inspect."""
    output = await ask(model, RANDOM, seconds, width=WIDTH)
    if isinstance(output, str):
        return [unsure("Inspect: choices", "no answer", output)]
    count = len(output.choices)
    found = [
        Finding("Inspect: choices", "yes" if count == WIDTH else "no", f"num_choices={WIDTH} brings {count}")
    ]
    usage = output.usage
    told = usage is not None and usage.input_tokens > 0
    evidence = f"{usage.input_tokens} in, {usage.output_tokens} out" if usage else ""
    found.append(Finding("Inspect: usage", "yes" if told else "no", "told" if told else "none", evidence))
    return found


async def calls(model: Model, seconds: float) -> Finding:
    """Tool calls through Inspect."""
    output = await ask(model, ASKED["tool calls"], seconds, [WEATHER])
    check = "Inspect: tool calls"
    if isinstance(output, str):
        return unsure(check, "no answer", output)
    made = [call for choice in output.choices for call in choice.message.tool_calls or []]
    if made:
        return yes(check, "arrive", str([(c.function, c.arguments) for c in made])[:200])
    return unsure(check, "none came", repr(output.completion[:100]))


async def reasoning(model: Model, seconds: float) -> Finding:
    """Reasoning through Inspect."""
    output = await ask(model, THINK, seconds)
    check = "Inspect: reasoning"
    if isinstance(output, str):
        return unsure(check, "no answer", output)
    content = output.choices[0].message.content if output.choices else ""
    if not isinstance(content, str) and any(isinstance(part, ContentReasoning) for part in content):
        return yes(check, "arrives as reasoning")
    if any(mark in output.completion for mark in THINKING):
        return no(check, "arrives as text", repr(output.completion[:100]))
    return unsure(check, "none came", repr(output.completion[:100]))
