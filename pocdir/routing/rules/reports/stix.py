"""STIX 2.x: the addresses that indicators name, in their patterns or by what they are based on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pocdir.routing.rules.reports.layout import Row
from pocdir.routing.rules.reports.rows import Record, compact, joined, rows_of, text

_OBSERVABLES = {
    "ipv4-addr": ("ip", "value"),
    "ipv6-addr": ("ip", "value"),
    "domain-name": ("domain", "value"),
    "url": ("url", "value"),
    "autonomous-system": ("asn", "number"),
}
_STRING = r"'(?:[^'\\]|\\.)*+'"
# A comparison that says what is seen: not `!=`, NOT, LIKE or MATCHES. Strings are taken whole, so that nothing
# within one is read as a comparison (STIX 2.1, 9.6).
_TOKEN = re.compile(
    r"(?P<type>ipv4-addr|ipv6-addr|domain-name|url|autonomous-system|network-traffic)"
    r":(?:value|number|(?:src|dst)_ref\.value)\s*+"
    rf"(?:={{1,2}}|IN\b|ISSUBSET\b)\s*+(?P<values>{_STRING}|[0-9]+|\((?:\s*+(?:{_STRING}|[0-9]+)\s*+,?)*+\))"
    rf"|{_STRING}?",  # also one that is never closed: nothing after it counts
    re.DOTALL,
)
_VALUE = re.compile(rf"{_STRING}|[0-9]+", re.DOTALL)
_ID = re.compile(r"[a-z0-9-]+--[0-9a-f-]{36}", re.IGNORECASE)


def is_stix(record: dict[str, Any]) -> bool:
    """Whether a JSON object is a bundle or one of its objects."""
    return record.get("type") == "bundle" or bool(_ID.fullmatch(text(record.get("id"))) and "type" in record)


def rows(record: dict[str, Any]) -> Iterator[Row]:
    """A row for each address of each indicator; an indicator of files alone has a row without one.

    Observables count where an indicator is based on them or is sighted in them. What is known of malware,
    people and places is no address of anybody to tell. A revoked indicator names none any more.
    """
    held = record.get("objects")
    objects = [each for each in held if isinstance(each, dict)] if isinstance(held, list) else [record]
    for indicator in (each for each in objects if each.get("type") == "indicator"):
        revoked = indicator.get("revoked") is True
        meant = Record(
            id=text(indicator.get("id")),
            timestamp=text(indicator.get("valid_from")) or text(indicator.get("created")),
            classification=joined(indicator.get("indicator_types")),
            labels=", ".join(filter(None, (joined(indicator.get("labels")), "revoked" if revoked else ""))),
            whole=compact(indicator),
        )
        places = [] if revoked else list(dict.fromkeys(_named(indicator)))
        yield from rows_of(meant, [{kind: value} for kind, value in places])
    yield from _based_on(objects)


def _named(indicator: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The addresses in a pattern as (kind, value)."""
    pattern = indicator.get("pattern")
    if not isinstance(pattern, str) or indicator.get("pattern_type", "stix") != "stix":
        return
    for token in _TOKEN.finditer(pattern):
        if not token["type"]:
            continue
        kind = _OBSERVABLES.get(token["type"], ("ip",))[0]
        for value in _VALUE.findall(token["values"]):
            bare = re.sub(r"\\(.)", r"\1", value[1:-1]) if value[0] == "'" else value
            if cell := text(bare):
                yield kind, cell


def _based_on(objects: list[dict[str, Any]]) -> Iterator[Row]:
    """The observables that relationships and sightings tie to an indicator of the same bundle."""
    by_id = {each["id"]: each for each in objects if isinstance(each.get("id"), str)}
    live = {
        id
        for id, each in by_id.items()
        if each.get("type") == "indicator" and each.get("revoked") is not True
    }
    tied: dict[str, None] = {}
    for each in objects:
        if each.get("relationship_type") == "based-on" and text(each.get("source_ref")) in live:
            tied |= dict.fromkeys(_refs([each.get("target_ref")]))
        if each.get("type") == "sighting" and text(each.get("sighting_of_ref")) in live:
            tied |= dict.fromkeys(_refs(each.get("observed_data_refs")))
    seen: dict[str, dict[str, Any]] = {}
    for ref in tied:
        for id, found in _observables(by_id.get(ref, {}), ref, by_id):
            seen.setdefault(id, found)
    for id, found in seen.items():
        kind, key = _OBSERVABLES[found["type"]]
        if cell := text(found.get(key)):
            yield from rows_of(Record(id=id[:200], whole=compact(found)), [{kind: cell}])


def _observables(
    each: dict[str, Any], id: str, by_id: dict[str, dict[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """An observable itself, or those of an observed-data: by reference (2.1) or within it (2.0)."""
    if text(each.get("type")) in _OBSERVABLES:
        yield text(id), each
    if each.get("type") != "observed-data":
        return
    for ref in _refs(each.get("object_refs")):
        if text((found := by_id.get(ref, {})).get("type")) in _OBSERVABLES:
            yield text(ref), found
    within = each.get("objects")
    for key, found in within.items() if isinstance(within, dict) else ():
        if isinstance(found, dict) and text(found.get("type")) in _OBSERVABLES:
            yield f"{text(id)}#{text(key)}", found


def _refs(value: object) -> list[str]:
    return [ref for ref in value if isinstance(ref, str)] if isinstance(value, list) else []
