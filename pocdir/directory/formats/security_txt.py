"""security-txt: where a site wants to hear of vulnerabilities (RFC 9116)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from urllib.parse import unquote

from pocdir.core.errors import Invalid
from pocdir.directory.formats import values
from pocdir.directory.formats.outside import Contacts, Notes, registrable
from pocdir.directory.formats.records import Parsed, Provenance, TeamRecord
from pocdir.directory.formats.text import decoded, refuse, shown

MOST_BYTES = 256 * 1024
_SIGNED, _SIGNATURE = "-----BEGIN PGP SIGNED MESSAGE-----", "-----BEGIN PGP SIGNATURE-----"
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,60}):(?:[ \t]+(.*))?")
_FINGERPRINT = re.compile(r"openpgp4fpr:([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})", re.IGNORECASE)

Field = tuple[str, str, str]  # `line N`, name in small letters, value


def parse(data: bytes, now: dt.datetime) -> Parsed:
    """One team by the registrable domain of Canonical, else of the first mail address among the Contacts; channels
    for vulnerabilities. A web form often stands at somebody else's: a file with forms alone does not say whose it is.

    A signature is taken off, not verified. Raises Invalid with the line; `source_expired` for a file that
    expired before `now` (RFC 9116, 2.5.5: it must not be used then).
    """
    if len(data) > MOST_BYTES:
        refuse(f"no security.txt has {len(data)} bytes; at most {MOST_BYTES} are read")
    notes = Notes()
    fields = list(_fields(_unsigned(decoded(data, "a security.txt"), notes)))
    expires = _expires(fields, now, notes)
    contacts, first = _contacts(fields, notes)
    canonical = [value for _, name, value in fields if name == "canonical" and value.startswith("https://")]
    mails = [value for value in first if not value.startswith("https://")]
    domain = next(filter(None, map(registrable, [*canonical, *mails])), None)
    if domain is None and len(mails) == len(first):
        refuse("neither Canonical nor Contact has a domain that says whose file this is")
    languages = _languages(fields, notes)
    named = {"name": domain, "website": f"https://{domain}/"} if domain else {}
    record = TeamRecord(
        slug=None,
        facts=named | ({"languages": languages} if languages else {}),
        channels=contacts.channels(),
        confidence="low",
        domain=domain,
        lead=True,
        placeholders=tuple(contacts.placeholders),
    )
    notes.add("Expires", f"valid until {expires.date().isoformat()}")
    source = Provenance(
        f"security.txt of {domain or first[0]}"[:200], next(iter(canonical), None), "first_party"
    )
    return Parsed(source, "imported", (record,), notes.told())


def _unsigned(text: str, notes: Notes) -> Iterator[tuple[int, str]]:
    """The numbered lines of the text itself; a clear-signed one (RFC 9580, 7) without its armor."""
    lines = list(enumerate(text.splitlines(), 1))
    start = next((at for at, (_, line) in enumerate(lines) if line.strip()), 0)
    if lines[start][1].strip() == _SIGNATURE:
        refuse("this is a signature alone, not a security.txt", f"line {start + 1}")
    if lines[start][1].strip() != _SIGNED:
        yield from lines
        return
    end = next((at for at, (_, line) in enumerate(lines) if line.strip() == _SIGNATURE), None)
    body = next((at for at in range(start, len(lines)) if not lines[at][1].strip()), None)
    if end is None or body is None or body > end:
        refuse("the signed text does not end in a signature", f"line {lines[-1][0]}")
    notes.add(f"line {start + 1}", "it is signed; the signature was not verified")
    yield from ((number, line.removeprefix("- ")) for number, line in lines[body + 1 : end])


def _fields(lines: Iterator[tuple[int, str]]) -> Iterator[Field]:
    for number, line in lines:
        given = line.strip()
        if not given or given.startswith("#"):
            continue
        found = _FIELD.fullmatch(given)
        if found is None:
            refuse(f"`Name: value` or a comment is right, not {shown(given)}", f"line {number}")
        yield f"line {number}", found[1].lower(), (found[2] or "").strip()


def _expires(fields: list[Field], now: dt.datetime, notes: Notes) -> dt.datetime:
    given = [(where, value) for where, name, value in fields if name == "expires"]
    if len(given) != 1:
        message = "Expires is missing; without it nobody knows whether the file still holds (RFC 9116, 2.5.5)"
        refuse(message if not given else "Expires stands there twice", given[1][0] if given else None)
    where, value = given[0]
    try:
        if not re.fullmatch(
            r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.]{5,20}(?:[Zz]|[+-][0-9]{2}:[0-9]{2})", value
        ):
            raise ValueError
        expires = dt.datetime.fromisoformat(value.upper())
        late = expires.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        refuse(f"Expires is no time (RFC 3339) but {shown(value)}", where)
    if late <= now:
        raise Invalid(
            "source_expired", f"it expired on {late.date().isoformat()} and is not used any more", where=where
        )
    if late > now + dt.timedelta(days=366):
        notes.add(where, "it expires in more than a year, which RFC 9116 advises against")
    return late


def _contacts(fields: list[Field], notes: Notes) -> tuple[Contacts, list[str]]:
    """The channels, and what of each Contact may have a domain."""
    contacts, first = Contacts(notes), []
    fingerprints = [
        found[1] for _, name, value in fields if name == "encryption" and (found := _FINGERPRINT.match(value))
    ]
    fingerprint = fingerprints[0].upper() if len(fingerprints) == 1 else None
    stated = [(where, value) for where, name, value in fields if name == "contact"]
    if not stated:
        refuse("Contact is missing")
    for where, value in stated:
        scheme = value.partition(":")[0].lower()
        if scheme == "mailto" or (scheme == value.lower() and "@" in value):
            mail = unquote(value.partition("?")[0][7 if scheme == "mailto" else 0 :])
            contacts.add(where, "email", mail, "vulnerability", fingerprint=fingerprint)
            first.append(mail)
        elif scheme == "tel":
            contacts.add(where, "phone", unquote(value[4:]), "vulnerability")
        elif scheme == "https":
            contacts.add(where, "form", value, "vulnerability")
            first.append(value)
        else:
            notes.add(where, f"{shown(value)} is neither mailto:, tel: nor https:; left out")
    if not contacts.found and not contacts.placeholders:
        refuse("no Contact can be used: mailto:, tel: or https: is right", stated[0][0])
    return contacts, first


def _languages(fields: list[Field], notes: Notes) -> list[str]:
    found: dict[str, None] = {}
    for where, name, value in fields:
        for tag in value.split(",") if name == "preferred-languages" else ():
            if tag.strip() and (language := notes.usable(where, values.language, tag.strip())):
                found[language] = None
    return list(found)[:50]
