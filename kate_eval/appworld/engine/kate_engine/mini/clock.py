"""The mini world's today, and dates counted back from it."""

from datetime import datetime, timedelta

TODAY = datetime(2023, 5, 18, 12, 0, 0)
"""When every task is given; the engine freezes its clock there."""


def days_ago(days: int, hour: int = 9, minute: int = 0) -> datetime:
    """A time of day some days before today (after today where days is negative)."""
    return (TODAY - timedelta(days=days)).replace(hour=hour, minute=minute)


def month_bounds(months_ago: int) -> tuple[datetime, datetime]:
    """The first moments of a calendar month of this year and of the one after it."""
    month = TODAY.month - months_ago
    return datetime(TODAY.year, month, 1), datetime(TODAY.year, month + 1, 1)
