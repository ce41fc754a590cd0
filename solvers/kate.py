"""The solvers that a user names: one factory with other defaults each (and `nearest`, in its own file).

Source: KATE (arXiv 2606.10875). `baseline` is the official BFCL loop: all calls of an answer are played.
"""

from inspect_ai.solver import Solver, solver

from kate_eval.errors import unknown
from kate_eval.solvers.loop import loop
from kate_eval.solvers.parameters import DEPTHS, make_parameters

Names = str | list[str]

# Solvers repeat the parameters they share. Inspect reads a factory's own signature: it converts -S values
# by it and logs all of it, defaults included, which reports rest on; **kwargs would hide names and defaults.


@solver
def baseline(temperature: float | None = None, recover: bool = True) -> Solver:
    """One path, no knowledge: function calling or prompting, as the task's mode says.

    Args:
        temperature: of each answer; by default --temperature, or 0.
        recover: read tool calls that the server's parser left in the text (docs/recovery.md).
    """
    return loop(make_parameters(temperature=temperature, recover=recover))


@solver
def depth(prompt: str = "reflection", temperature: float | None = None, recover: bool = True) -> Solver:
    """One path, with a message before each step that asks for more thinking.

    Args:
        prompt: state, reflection or intent.
        temperature: of each answer; by default --temperature, or 0.
        recover: read tool calls that the server's parser left in the text (docs/recovery.md).
    """
    if prompt not in DEPTHS:
        raise unknown("depth prompt", prompt, DEPTHS)
    return loop(make_parameters(depth=prompt, temperature=temperature, recover=recover))


@solver
def knowledge(
    knowledge: Names = "trajectory",
    bank: str | None = None,
    k: int = 3,
    threshold: float | None = None,
    match: str = "embedder",
    select: str = "top",
    budget: int | None = None,
    inject: str = "turn",
    allow_leakage: bool = False,
    temperature: float | None = None,
    recover: bool = True,
) -> Solver:
    """One path, with experiences in each user message.

    Args:
        knowledge: knowledge forms, comma-separated.
        bank: folder of the bank; by default the benchmark's training half, built in memory.
        k: items per turn and form, at most; of intents always one.
        threshold: similarity that an item must exceed; by default the bank's own.
        match: embedder, or hybrid (the mean of the embedder's and the lexical similarity).
        select: top, diverse (maximal marginal relevance) or cover (the tools of the entry).
        budget: tokens for all experiences of a turn; the least similar are dropped first.
        inject: at every turn, or once in a sample.
        allow_leakage: evaluate entries that the bank was built from, marked as such.
        temperature: of each answer; by default --temperature, or 0.
        recover: read tool calls that the server's parser left in the text (docs/recovery.md).
    """
    return loop(make_parameters(**locals()))  # every argument is a parameter of that name


@solver
def memp(
    knowledge: Names = "trajectory,summary",
    bank: str | None = None,
    k: int = 3,
    threshold: float | None = None,
    match: str = "embedder",
    select: str = "top",
    budget: int | None = None,
    inject: str = "turn",
    allow_leakage: bool = False,
    temperature: float | None = None,
    recover: bool = True,
) -> Solver:
    """The paper's Memp baseline: trajectories and summaries, one path.

    Args:
        knowledge: knowledge forms, comma-separated.
        bank: folder of a bank that has them.
        k: items per turn and form, at most; of intents always one.
        threshold: similarity that an item must exceed; by default the bank's own.
        match: embedder, or hybrid (the mean of the embedder's and the lexical similarity).
        select: top, diverse (maximal marginal relevance) or cover (the tools of the entry).
        budget: tokens for all experiences of a turn; the least similar are dropped first.
        inject: at every turn, or once in a sample.
        allow_leakage: evaluate entries that the bank was built from, marked as such.
        temperature: of each answer; by default --temperature, or 0.
        recover: read tool calls that the server's parser left in the text (docs/recovery.md).
    """
    return loop(make_parameters(**locals()))


@solver
def width(
    width: int | str = 4,
    aggregate: str = "critic",
    confidence: float = 0.95,
    sampling: str = "choices",
    layout: str = "multi-turn",
    show_reasoning: bool = True,
    shortlist: int | None = None,
    depth: str = "none",
    one_call: bool = True,
    temperature: float | None = None,
    recover: bool = True,
) -> Solver:
    """Several candidates at every step, aggregated into one action; no knowledge.

    Args:
        width: candidates per step: a number, or adaptive:4..16 for as many as the vote needs.
        aggregate: majority, critic, critic_majority, or first (a control).
        confidence: in the leading candidate, at which adaptive width stops asking.
        sampling: choices (samples of one prompt) or perspectives (one sample of four prompts).
        layout: multi-turn or single-turn: the conversation as critics see it.
        show_reasoning: whether critics see the candidates' reasoning.
        shortlist: show critics only so many of the most frequent candidates.
        depth: a message before each step: none, state, reflection or intent.
        one_call: in multi-turn entries, play only the first call of a candidate.
        temperature: of the candidates; by default --temperature, or 1 (0 for one, and for perspectives).
        recover: read tool calls that the server's parser left in the text (docs/recovery.md).
    """
    return loop(
        make_parameters(
            width=width,
            aggregate=aggregate,
            confidence=confidence,
            sampling=sampling,
            layout=layout,
            show_reasoning=show_reasoning,
            shortlist=shortlist,
            depth=depth,
            one_call=one_call,
            temperature=temperature,
            recover=recover,
        )
    )


@solver
def kate(
    knowledge: Names = "trajectory",
    bank: str | None = None,
    k: int = 3,
    threshold: float | None = None,
    match: str = "embedder",
    select: str = "top",
    budget: int | None = None,
    inject: str = "turn",
    allow_leakage: bool = False,
    width: int | str = 4,
    aggregate: str = "critic",
    confidence: float = 0.95,
    sampling: str = "choices",
    layout: str = "multi-turn",
    show_reasoning: bool = True,
    shortlist: int | None = None,
    depth: str = "none",
    one_call: bool = True,
    temperature: float | None = None,
    recover: bool = True,
) -> Solver:
    """The whole method with the paper's defaults: trajectories, width 4, a critic.

    Args:
        knowledge: knowledge forms, comma-separated; "none" for width alone.
        bank: folder of the bank; by default the benchmark's training half, built in memory.
        k: items per turn and form, at most; of intents always one.
        threshold: similarity that an item must exceed; by default the bank's own.
        match: embedder, or hybrid (the mean of the embedder's and the lexical similarity).
        select: top, diverse (maximal marginal relevance) or cover (the tools of the entry).
        budget: tokens for all experiences of a turn; the least similar are dropped first.
        inject: at every turn, or once in a sample.
        allow_leakage: evaluate entries that the bank was built from, marked as such.
        width: candidates per step: a number, or adaptive:4..16 for as many as the vote needs.
        aggregate: majority, critic, critic_majority, or first (a control).
        confidence: in the leading candidate, at which adaptive width stops asking.
        sampling: choices (samples of one prompt) or perspectives (one sample of four prompts).
        layout: multi-turn or single-turn: the conversation as critics see it.
        show_reasoning: whether critics see the candidates' reasoning.
        shortlist: show critics only so many of the most frequent candidates.
        depth: a message before each step: none, state, reflection or intent.
        one_call: in multi-turn entries, play only the first call of a candidate.
        temperature: of the candidates; by default --temperature, or 1 (0 for one, and for perspectives).
        recover: read tool calls that the server's parser left in the text (docs/recovery.md).
    """
    return loop(make_parameters(**locals()))  # every argument is a parameter of that name
