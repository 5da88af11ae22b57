"""Whether a report is as the team that gets it has asked for: its intake rules, each of which a machine can check."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

IN_WORDS = {
    "one-address": "one address per report",
    "timestamps-with-zone": "times with their zone",
    "evidence": "evidence: what was seen",
    "language": "one of its languages",
    "encryption": "encrypted mail",
    "web-form-only": "reports by its web form only",
    "feeds": "feeds, which it does not confirm singly: ask for no answer",
}

# A time of day with its zone, as people and programs write it.
_ZONED = re.compile(r"\d:\d\d(?::\d\d(?:\.\d+)?)? ?(?:Z\b|UTC|GMT|[+\N{MINUS SIGN}-]\d\d:?\d\d\b)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What goes to a team, as far as its rules ask; `rows`: of the files that go with it, whose cells nobody looks at.

    `assets` are dicts with `value`, maybe `port`, `first_seen`, `last_seen`. `encrypted` None: nobody said.
    """

    kind: str
    channel: str  # kind
    language: str
    assets: Sequence[Mapping[str, Any]] = ()
    rows: int = 0
    body: str | None = None
    is_kept: bool = False  # its words, by the sender, who gives their digest
    answer_asked: bool = True
    encrypted: bool | None = None


def not_met(asked: Collection[str], report: Report, *, languages: Collection[str]) -> list[str]:
    """Which of a team's rules (of record.INTAKE) the report does not meet, in their order. A test message meets all."""
    checks = {
        "one-address": len({each["value"] for each in report.assets}) + report.rows <= 1,
        "timestamps-with-zone": _is_timed(report),
        "evidence": bool(report.body or report.is_kept or report.rows or any(map(_says_more, report.assets))),
        "language": not languages or _primary(report.language) in map(_primary, languages),
        "encryption": report.channel != "email" or bool(report.encrypted),
        "web-form-only": report.channel == "form",
        "feeds": report.kind != "report" or not report.answer_asked,
    }
    return [rule for rule, is_met in checks.items() if rule in asked and not is_met and report.kind != "ping"]


def opted_out_of(opt_outs: Collection[str], *, kind: str, about: str | None) -> list[str]:
    """What of a notification its team has said not to take: its kind, the class/type or the class that it is `about`.

    A test message is about nothing.
    """
    classes = (about, about.partition("/")[0]) if about and kind != "ping" else ()
    return [each for each in dict.fromkeys((kind, *classes)) if each in opt_outs]


def in_words(rules: Collection[str]) -> str:
    """What a team asks for, as a sentence's end."""
    return "; ".join(IN_WORDS[rule] for rule in rules)


def _is_timed(report: Report) -> bool:
    if report.rows or report.is_kept or _ZONED.search(report.body or ""):
        return True
    return all(each.get("first_seen") or each.get("last_seen") for each in report.assets)


def _says_more(asset: Mapping[str, Any]) -> bool:
    return any(asset.get(name) for name in ("port", "first_seen", "last_seen"))


def _primary(tag: str) -> str:
    return tag.split("-", 1)[0].lower()
