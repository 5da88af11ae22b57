"""The few marks our pictures are made of; every text that goes into them is escaped here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from markupsafe import Markup, escape

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def mark(template: str, **values: str | float) -> Markup:
    """The template (ours, never a reader's) with each text escaped and cleared of what XML cannot carry."""
    return Markup(template.format(**{name: _safe(value) for name, value in values.items()}))  # noqa: S704


def words(kind: str, x: float, y: float, text: str, anchor: str = "start") -> Markup:
    """Text of class `kind` on the base line y, from, around or up to x (`start`, `middle`, `end`)."""
    template = '<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'
    return mark(template, kind=kind, x=x, y=y, anchor=anchor, text=text)


def shortened(label: str, room: int) -> str:
    """The label cut to its room, counted in Latin letters; a wide letter takes two."""
    width = kept = 0
    for letter in label:
        width += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        kept += width < room
    return label if width <= room else label[:kept].rstrip() + "…"


def picture(
    kind: str, ident: str, size: tuple[float, float], *, title: str, desc: str, body: Iterable[Markup]
) -> Markup:
    """The whole SVG with its title and description for screen readers; `ident` starts its ids on the page."""
    return mark(
        '<svg xmlns="http://www.w3.org/2000/svg" class="{kind}" viewBox="0 0 {width:g} {height:g}" '
        'role="img" aria-labelledby="{i}-t {i}-d"><title id="{i}-t">{title}</title>'
        '<desc id="{i}-d">{desc}</desc>{body}</svg>',
        kind=kind,
        width=size[0],
        height=size[1],
        i=ident,
        title=title,
        desc=desc,
        body=Markup("").join(body),
    )


def _safe(value: str | float) -> str | float:
    if isinstance(value, Markup | int | float):
        return value
    return escape(value if value.isprintable() else _NOT_XML.sub("", value))
