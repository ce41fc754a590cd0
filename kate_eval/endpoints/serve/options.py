"""What a user may say about the servers to start."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

OURS = ("--model", "--host", "--port", "--uds", "--enable-lora", "--lora-modules")
"""vLLM's flags that `kate serve` sets from its own arguments."""


class Options(BaseModel):
    """Servers of one model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    """A name on the hub, or a local folder."""
    adapters: tuple[Path, ...] = ()
    """Folders of LoRA adapters; a folder's name is the name that requests ask for."""
    replicas: int = Field(default=1, ge=1)
    """Servers, on consecutive ports."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    """Of the first."""
    env: Path | None = None
    """An environment that has vLLM, or its Python; by default $KATE_EVAL_VLLM_PYTHON, or one of ours."""
    timeout: float = Field(default=900, gt=0)
    """Seconds that a server may take until it answers; a hub model's download is part of it."""
    log_folder: Path | None = None
    """Where the servers' logs go; by default below the cache folder."""
    flags: tuple[str, ...] = ()
    """vLLM's own; they win over what is chosen here."""

    @field_validator("flags")
    @classmethod
    def _not_ours(cls, flags: tuple[str, ...]) -> tuple[str, ...]:
        for flag in flags:
            if flag.split("=")[0] in OURS:
                raise ValueError(
                    f"{flag.split('=')[0]} can't be given to vLLM directly: use kate serve's MODEL, "
                    "--adapter, --host and --port, before the --"
                )
        return flags

    def has(self, *names: str) -> bool:
        """Whether the user gave one of these flags, in either form: --name value or --name=value."""
        return any(flag.split("=")[0].replace("_", "-") in names for flag in self.flags)

    def value(self, name: str) -> str | None:
        """What the user gave a flag, or None."""
        for number, flag in enumerate(self.flags):
            if flag.startswith(f"{name}="):
                return flag.partition("=")[2]
            if flag == name and number + 1 < len(self.flags):
                return self.flags[number + 1]
        return None
