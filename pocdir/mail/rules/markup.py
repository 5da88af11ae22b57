"""The words of an HTML mail as plain text, for people to read; nothing acts on them."""

from __future__ import annotations

import html
import re

LONGEST = 200_000  # characters that are looked at

_NAME = re.compile(r"</?([a-z][a-z0-9]{0,20})", re.IGNORECASE)
_UNSEEN = ("style", "script", "title")
_BREAKS = frozenset({"br", "p", "div", "tr", "li", "blockquote", "table", "h1", "h2", "h3"})


def shown(text: str) -> str:
    """Without tags, and without what stands in a style or script; of what is not closed the beginning."""
    text = text[:LONGEST]
    small, pieces, at = text.lower(), [], 0
    while (opens := text.find("<", at)) >= 0:
        pieces.append(" ".join(text[at:opens].split("\n")))
        name = (found := _NAME.match(small, opens)) and found[1]
        if small.startswith("<!--", opens):
            at = small.find("-->", opens) + 2
        else:
            closed = small.find(f"</{name}", opens) if name in _UNSEEN and small[opens + 1] != "/" else opens
            at = small.find(">", closed) if closed >= 0 else -1
        if at < opens:
            return _tidy(pieces)
        at += 1
        pieces.append("\n" if name in _BREAKS else "")
    return _tidy([*pieces, text[at:]])


def _tidy(pieces: list[str]) -> str:
    lines = (" ".join(line.split()) for line in html.unescape("".join(pieces)).split("\n"))
    return "\n".join(filter(None, lines))
