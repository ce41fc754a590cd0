"""What may be shown and saved: text that is not too long, in characters that every file can hold."""


def shortened(text: str, limit: int) -> str:
    """The text in at most about `limit` characters: two thirds of them its beginning, one third its end."""
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    tail = limit - head
    left_out = len(text) - limit
    note = f"\n[... {left_out} characters left out here: print less at once, or page through it ...]\n"
    return text[:head] + note + text[-tail:] if tail else text[:head] + note


def encodable(text: str) -> str:
    """The text with a question mark for each lone surrogate, which no file and no log could hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
