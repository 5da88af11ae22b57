"""cidr-csv: `as_or_cidr,organization,comment,contact`, one network a line."""

from __future__ import annotations

import re

from pocdir.core.errors import Invalid
from pocdir.directory.formats import values
from pocdir.directory.formats.records import (
    ChannelRecord,
    Faults,
    Parsed,
    ResponsibilityRecord,
    TeamRecord,
    identity,
)
from pocdir.directory.formats.text import csv_rows, refuse

COLUMNS = ("as_or_cidr", "organization", "comment", "contact")


def parse(data: bytes) -> Parsed:
    """One team for each organisation with its networks and contacts; the comment is for the file's readers.

    A contact is one or more mail addresses or web forms, divided by blanks, commas or semicolons. Raises
    Invalid with the line.
    """
    faults = Faults()
    channels: dict[str, dict[tuple[str, ...], ChannelRecord]] = {}
    networks: dict[str, dict[tuple[str, ...], ResponsibilityRecord]] = {}
    for where, row in csv_rows(data, ("as_or_cidr", "organization"), COLUMNS):
        name = faults.check(f"{where}: organization", values.text(300), row["organization"])
        network = faults.check(f"{where}: as_or_cidr", _responsibility, row["as_or_cidr"])
        contacts = faults.check(f"{where}: contact", _channels, row.get("contact", ""))
        if name is None or network is None or contacts is None:
            continue
        networks.setdefault(name, {})[identity(network)] = network
        for contact in contacts:
            channels.setdefault(name, {}).setdefault(identity(contact), contact)
    faults.refuse("record_invalid")
    if not networks:
        refuse("no line but the head")
    teams = (
        TeamRecord(None, {"name": name}, tuple(channels.get(name, {}).values()), tuple(rows.values()))
        for name, rows in networks.items()
    )
    return Parsed(None, "imported", tuple(teams))


def _responsibility(raw: str) -> ResponsibilityRecord:
    given = raw.strip()
    key, check = ("prefix", values.prefix) if "." in given or ":" in given else ("asn", values.asn)
    try:
        return ResponsibilityRecord(key, check(given), "holder")
    except Invalid as error:
        if "host bits" in error.message:
            raise
        raise values.wrong("an AS number or a prefix is right, such as AS64500 or 203.0.113.0/24") from error


def _channels(raw: str) -> tuple[ChannelRecord, ...]:
    found: dict[tuple[str, ...], ChannelRecord] = {}
    for word in re.split(r"[\s,;]+", raw.strip()):
        if not word:
            continue
        is_form = word.startswith(("http://", "https://"))
        value = values.url(word) if is_form else values.email(word.removeprefix("mailto:"))
        channel = ChannelRecord("form" if is_form else "email", value, preference=len(found) + 1)
        found.setdefault(identity(channel), channel)
    return tuple(found.values())
