"""IODEF, versions 1 and 2 (RFC 5070, RFC 7970): the systems and indicators of its incidents."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Types and writing alone; defusedxml reads.
from xml.etree.ElementTree import Element, ParseError, tostring  # nosec B405

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from pocdir.core.errors import Invalid
from pocdir.routing.rules.reports.layout import Row
from pocdir.routing.rules.reports.rows import Record, placed, rows_of, text

MOST_BYTES = 8 * 1024 * 1024  # short elements take thirty times their length in memory
_ADDRESS = {
    "ipv4-addr": "ip", "ipv6-addr": "ip", "ipv4-net": "ip", "ipv6-net": "ip", "ipv4-net-mask": "ip",
    "ipv6-net-mask": "ip", "asn": "asn", "site-uri": "url", "domain-name": "domain", "url": "url", "fqdn": "domain",
}  # fmt: skip
# Who is told: where it came from and what it went through; the targets only where nothing else is named.
_TARGETS = frozenset({"target", "watchlist-destination"})
_TOLD_NOTHING = frozenset({"sensor"})
_TIMES = ("DetectTime", "StartTime", "ReportTime", "GenerationTime")


def rows(data: bytes, name: str) -> Iterator[Row]:
    """A row for each address of each system and indicator; an incident without any has a row without one.

    Raises Invalid `report_malformed` for broken XML and for any document type or entity (expanded without end,
    or fetched), `report_unknown` for other XML, `report_too_large`.
    """
    if len(data) > MOST_BYTES:
        raise Invalid("report_too_large", f"at most {MOST_BYTES} bytes of XML are read", where=name or None)
    try:
        top = fromstring(data, forbid_dtd=True)
    except DefusedXmlException:
        raise Invalid(
            "report_malformed",
            "a document type and entities are not read; leave them out",
            where=name or None,
        ) from None
    except ParseError as error:
        line, column = error.position
        where = f"{name or 'report'}:{line}:{column}"
        raise Invalid("report_malformed", f"no XML: {str(error)[:200]}", where=where) from None
    except (ValueError, LookupError) as error:
        raise Invalid(
            "report_malformed", f"no XML that we read: {str(error)[:100]}", where=name or None
        ) from None
    if _local(top) != "IODEF-Document":
        raise Invalid("report_unknown", "IODEF begins with IODEF-Document", where=name or None)
    for incident in _below(top, "Incident"):
        yield from _incident(incident)


def _incident(incident: Element) -> Iterator[Row]:
    incident_id = next(_below(incident, "IncidentID"), None)
    name = text(incident_id.get("name")) if incident_id is not None else ""
    id = "/".join(filter(None, (name, _text(incident_id))))
    times = (_text(found) for tag in _TIMES for found in _below(incident, tag))
    timestamp = next(filter(None, times), "")
    found = False
    for element, category in _told(incident):
        places = list(_places(element))
        if not places:
            continue
        found = True
        yield from rows_of(Record(id, timestamp, "", category, whole=_whole(element)), places)
    if not found:
        yield from rows_of(Record(id, timestamp, whole=_whole(incident)), [])


def _told(incident: Element) -> list[tuple[Element, str]]:
    """The systems, and what indicators observe, each with its category."""
    systems = [(each, text(each.get("category"))) for each in _outermost(incident, "System")]
    systems = [each for each in systems if each[1] not in _TOLD_NOTHING]
    sources = [each for each in systems if each[1] not in _TARGETS]
    observed = [
        (each, "indicator")
        for indicator in _outermost(incident, "Indicator")
        for observable in _below(indicator, "Observable")
        for each in observable
        if _local(each) in ("Address", "DomainData", "BulkObservable", "Node")
    ]
    return sources + observed or systems


def _places(element: Element) -> Iterator[dict[str, str]]:
    """The addresses of a system or an observable, each once."""
    seen: dict[tuple[str, str], None] = {}
    for each in element.iter():
        tag, kind = _local(each), ""
        if tag == "Address":
            kind = _ADDRESS.get(each.get("category", "ipv4-addr"), "")  # the default of both versions
        elif tag == "NodeName":
            kind = "domain"
        elif tag == "DomainData":
            seen |= {("domain", cell): None for name in _below(each, "Name") if (cell := _text(name))}
        elif tag == "BulkObservable":
            kind = _ADDRESS.get(each.get("type", ""), "")
            for listed in _below(each, "BulkObservableList"):
                seen |= {
                    (kind, cell): None
                    for line in (listed.text or "").split()
                    if kind and (cell := text(line))
                }
            continue
        if kind and (cell := _text(each)):
            seen[kind, cell] = None
    for kind, cell in seen:
        address = _masked(cell) if kind == "ip" else cell
        yield {kind: address} if kind != "domain" else placed(address)


def _masked(cell: str) -> str:
    """`203.0.113.0/255.255.255.0` as the prefix that it is."""
    address, slash, mask = cell.partition("/")
    octets = mask.split(".")
    if not slash or len(octets) != 4 or not all(octet.isdecimal() and len(octet) < 4 for octet in octets):
        return cell
    bits = "".join(f"{int(octet):08b}" for octet in octets)
    return f"{address}/{bits.count('1')}" if re.fullmatch("1*0*", bits) and len(bits) == 32 else cell


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _below(element: Element, tag: str) -> Iterator[Element]:
    return (each for each in element if _local(each) == tag)


def _outermost(element: Element, tag: str) -> Iterator[Element]:
    """In the document's order; none within another, which the schema does not know and would take for ever."""
    waiting = list(reversed(element))
    while waiting:
        each = waiting.pop()
        if _local(each) == tag:
            yield each
        else:
            waiting.extend(reversed(each))


def _text(element: Element | None) -> str:
    return text(element.text or "") if element is not None else ""


def _whole(element: Element) -> str:
    """The element as XML on one line: a line end within text is written as the character reference it may be."""
    return tostring(element, encoding="unicode").strip().replace("\r", "&#13;").replace("\n", "&#10;")
