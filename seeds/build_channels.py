"""A team's channels from its rows: what each address is for, how sure it is, which comes first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from build_rows import CONFIDENCES, Row, newest_first
from build_rulings import (
    DOUBTFUL_ADDRESSES,
    DROPPED_WEBSITES,
    GENERAL_ADDRESSES,
    GENERAL_PHONES,
    SENDERS,
    VULNERABILITY_ADDRESSES,
)

PURPOSES = ("incident", "vulnerability", "general")
KINDS = ("email", "form", "phone")
FORM = re.compile(  # a page on which incidents are reported, in the languages of the material
    r"report(?!s)|rapporter|melden\b|meldung\b|anmal|declar|signaler|segnala|reportar|raportare|need-help"
    r"|/form|formulaire",
    re.IGNORECASE,
)
Claim = tuple[str, str, str]  # kind, value, purpose


def channels(group: list[Row]) -> list[dict[str, Any]]:
    """Channels in the order of preference, each as its best row says it."""
    said: dict[Claim, list[Row]] = defaultdict(list)
    for row in group:
        for claim in _claims(row):
            said[_spelling(claim, said)].append(row)
    for kind, value, purpose in list(said):
        if purpose == "general" and (kind, value, "incident") in said:
            said[kind, value, "incident"] += said.pop((kind, value, purpose))
    kept = {claim: rows for claim, rows in said.items() if not _outlived(claim, said)}
    ordered = sorted(kept, key=lambda claim: _order(claim, kept[claim]))
    return [_channel(claim, kept[claim], place) for place, claim in enumerate(ordered, start=1)]


def is_form(url: str) -> bool:
    """Whether the address of a page reads like the one where incidents are reported."""
    return bool(FORM.search(path_of(url)))


def path_of(url: str) -> str:
    """What follows the host, with its first slash."""
    return "/" + url.split("://")[1].rstrip("/").partition("/")[2]


def _claims(row: Row) -> Iterator[Claim]:
    if row.email:
        yield "email", row.email, _purpose(row)
    for address in row.other_emails:
        yield "email", address, "general"
    for phone in row.phones:
        yield "phone", phone, "general" if phone in GENERAL_PHONES else "incident"
    listed = row.source.class_ in ("registry", "registry_snapshot") or row.website in DROPPED_WEBSITES
    if row.website and not listed and is_form(row.website):
        yield "form", row.website, "incident"


def _purpose(row: Row) -> str:
    if row.is_cna or row.email in VULNERABILITY_ADDRESSES:
        return "vulnerability"
    return "general" if row.email in GENERAL_ADDRESSES else "incident"


def _spelling(claim: Claim, said: dict[Claim, list[Row]]) -> Claim:
    """The claim as a better row spelled it: a number is its digits, a page its path without a last slash."""
    for other in said:
        if other[::2] == claim[::2] and _bare(other) == _bare(claim):
            return other
    return claim


def _bare(claim: Claim) -> str:
    return re.sub(r"\D", "", claim[1]) if claim[0] == "phone" else claim[1].rstrip("/")


def _outlived(claim: Claim, said: dict[Claim, list[Row]]) -> bool:
    """A number of 2012 goes where a newer one is known."""
    old = all(row.is_snapshot_of_2012 for row in said[claim])
    fresh = any(
        other[0] == "phone" and not all(row.is_snapshot_of_2012 for row in rows)
        for other, rows in said.items()
    )
    return claim[0] == "phone" and old and fresh


def _order(claim: Claim, rows: list[Row]) -> tuple[Any, ...]:
    kind, value, purpose = claim
    return (
        PURPOSES.index(purpose),
        KINDS.index(kind),
        value in SENDERS,
        CONFIDENCES.index(_confidence(value, rows)),
        min(row.standing for row in rows),
        -len({row.source.name for row in rows}),
        min(newest_first(row.source.date) for row in rows),
        value,
    )


def _confidence(value: str, rows: list[Row]) -> str:
    """That of the best row; two lists that agree raise low to medium, a ruling keeps a value low."""
    if value in SENDERS or value in DOUBTFUL_ADDRESSES:
        return "low"
    best = min((row.confidence for row in rows), key=CONFIDENCES.index)
    lists = {row.source.name for row in rows if row.source.class_ == "third_party_list"}
    return "medium" if best == "low" and len(lists) > 1 else best


def _channel(claim: Claim, rows: list[Row], place: int) -> dict[str, Any]:
    kind, value, purpose = claim
    keys = [row.fingerprint for row in rows if row.fingerprint and row.email == value]
    best = min(rows, key=lambda row: row.best)
    return {
        "kind": kind,
        "value": value,
        "purpose": purpose,
        "preference": place,
        "openpgp_fingerprint": keys[0] if keys else None,
        "source": best.source.as_json(),
        "confidence": _confidence(value, rows),
    }
