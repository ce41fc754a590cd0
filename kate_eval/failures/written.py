"""What a response set out to be, where it can't be decoded."""

from kate_eval.bfcl.categories import Mode
from kate_eval.bfcl.decode import DecodeError, decode_fc, decode_prompt, executable_calls
from kate_eval.recovery.text import is_marked


def looks_like_calls(response: object, mode: Mode) -> bool:
    """Whether a response set out to be calls; plain prose did not.

    In prompting mode it opens a list, as in the episode; with function calling it has tool calls, or is text
    with the mark of calls that neither the server nor recovery read.
    """
    if isinstance(response, str):
        return response.strip("`\n ").startswith("[") if mode == "prompt" else is_marked(response)
    return mode == "fc" and isinstance(response, list) and bool(response)


def undecodable(response: object, mode: Mode) -> bool:
    """Whether a multi-turn step set out to be calls but can't be decoded."""
    if not looks_like_calls(response, mode):
        return False
    try:
        if mode == "prompt":
            executable_calls(decode_prompt(response, "python"))
        else:
            decode_fc(response)
    except (DecodeError, RecursionError):
        return True
    return False
