"""Output too long to show: its beginning and its end, and how much is missing."""


def shortened(text: str, limit: int) -> str:
    """The text in at most about `limit` characters: two thirds of them its beginning, one third its end."""
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    tail = limit - head
    left_out = len(text) - limit
    note = f"\n[... {left_out} characters left out here: print less at once, or page through it ...]\n"
    return text[:head] + note + text[-tail:] if tail else text[:head] + note
