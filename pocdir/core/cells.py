"""Cells of tables that people open in spreadsheets."""

from __future__ import annotations

# A cell that begins so is a formula to a spreadsheet; an apostrophe before it makes it text again.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def harmless(text: str) -> str:
    """The text, with an apostrophe before what would be a formula."""
    return "'" + text if text.startswith(FORMULA) else text
