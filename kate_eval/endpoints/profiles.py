"""Named temperaments of the simulated endpoint. None of them is fitted to a real model."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from kate_eval.errors import unknown

MistakeKind = Literal["wrong_value", "omitted", "extra", "hallucinated", "early_stop", "malformed"]


class Profile(BaseModel):
    """How a simulated model behaves. All rates are probabilities of one step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str
    skill: float = Field(ge=0, le=1)
    """A step that needs calls, or a block of code, is right (the mean over steps)."""
    skill_with_experience: float = Field(ge=0, le=1)
    """The same, where the prompt shows a similar request solved with the needed function, or all APIs."""
    recovery: float = Field(default=0.5, ge=0, le=1)
    """After an error in code, the model goes back to what has not worked yet; else it goes on."""
    stop_skill: float = Field(default=1.0, ge=0, le=1)
    """The turn is ended when all its calls are made."""
    abstain_skill: float = Field(default=1.0, ge=0, le=1)
    """Nothing is called where nothing applies: a parameter or function is missing, or irrelevance."""
    concentration: float = Field(default=0.8, gt=0)
    """Of the Beta distribution of a step's difficulty: the lower, the more do parallel draws agree."""
    stubborn: float = Field(default=0.0, ge=0, le=1)
    """A mistake is the step's usual one instead of an independent one (voting can't remove it)."""
    depth_gain: float = Field(default=0.0, ge=0, le=1)
    """Share of the mistakes avoided when the last message asks to think first."""
    distraction: float = Field(default=0.0, ge=0, le=1)
    """Share of the skill lost to a long text without a useful example in the user's message."""
    burst: float = Field(default=0.0, ge=0, le=1)
    """A right multi-turn answer holds the next call as well (not in code)."""
    critic_skill: float = Field(default=1.0, ge=0, le=1)
    """As critic: the right candidate is recognised, if it was shown."""
    critic_malformed: float = Field(default=0.0, ge=0, le=1)
    """As critic: the answer is no JSON."""
    reasoning: bool = True
    """Whether answers carry (simulated) reasoning."""
    mistakes: tuple[tuple[MistakeKind, float], ...] = (
        ("wrong_value", 0.46),
        ("omitted", 0.14),
        ("extra", 0.12),
        ("hallucinated", 0.10),
        ("early_stop", 0.12),
        ("malformed", 0.06),
    )
    """Weights of the kinds of mistakes."""


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            name="default",
            description="Simulated small model: two of three multi-turn entries fail; examples help.",
            skill=0.78,
            skill_with_experience=0.84,
            stop_skill=0.97,
            abstain_skill=0.85,
            stubborn=0.5,
            depth_gain=0.06,
            distraction=0.01,
            burst=0.05,
            critic_skill=0.5,
            critic_malformed=0.03,
        ),
        Profile(
            name="weak",
            description="Simulated very small model: most multi-turn entries fail, most mistakes repeat.",
            skill=0.62,
            skill_with_experience=0.71,
            stop_skill=0.92,
            abstain_skill=0.65,
            stubborn=0.5,
            depth_gain=0.03,
            distraction=0.02,
            burst=0.08,
            recovery=0.3,
            critic_skill=0.4,
            critic_malformed=0.08,
        ),
        Profile(
            name="strong",
            description="Simulated large model: two of three multi-turn entries pass.",
            skill=0.92,
            skill_with_experience=0.94,
            stop_skill=0.99,
            abstain_skill=0.93,
            stubborn=0.5,
            depth_gain=0.05,
            distraction=0.005,
            burst=0.1,
            recovery=0.7,
            critic_skill=0.8,
            critic_malformed=0.01,
        ),
        Profile(
            name="perfect",
            description="Simulated oracle: always plays gold, for tests of everything around the model.",
            skill=1.0,
            skill_with_experience=1.0,
        ),
        Profile(
            name="silent",
            description="Simulated model that never calls anything: the floor, and the empty-answer path.",
            skill=0.0,
            skill_with_experience=0.0,
            critic_skill=0.0,
            mistakes=(("early_stop", 1.0),),
        ),
    )
}


def profile_named(name: str) -> Profile:
    """The profile of this name.

    Raises:
        ConfigurationError: there is none.
    """
    if name not in PROFILES:
        raise unknown("simulated profile", name, PROFILES, "For instance: --model simulated/default")
    return PROFILES[name]
