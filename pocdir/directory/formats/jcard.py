"""A vCard in JSON (RFC 7095), as far as it names a desk and says how it is reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pocdir.core.codes import alpha2
from pocdir.core.errors import Invalid
from pocdir.directory.formats import values
from pocdir.directory.formats.text import refuse

MOST_PROPERTIES = 500


@dataclass(frozen=True, slots=True)
class Card:
    """What one card says; `contacts` as (place in the card, kind of channel, value as it stands)."""

    name: str | None = None
    org: str | None = None
    kind: str | None = None
    country: str | None = None
    contacts: tuple[tuple[str, str, Any], ...] = ()


def card(raw: Any, where: str) -> Card:
    """The card of a `vcardArray`, an empty one for None; raises Invalid with the path below `where`."""
    if raw is None or raw == []:
        return Card()
    if not isinstance(raw, list) or len(raw) != 2 or raw[0] != "vcard":
        refuse('["vcard", [properties]] is right', where)
    if not isinstance(raw[1], list) or len(raw[1]) > MOST_PROPERTIES:
        refuse(f"a list of at most {MOST_PROPERTIES} properties is right", f"{where}[1]")
    said: dict[str, str | None] = {}
    contacts: list[tuple[str, str, Any]] = []
    for position, given in enumerate(raw[1]):
        place = f"[1][{position}]"
        name, parameters, found = _property(given, f"{where}{place}")
        if name in ("fn", "org", "kind"):
            said.setdefault(name, _text(found[0]))
        elif name == "adr":
            said.setdefault("country", _country(parameters, found[0]))
        contacts.extend((place, kind, value) for kind, value in _contacts(name, parameters, found))
    kind = (said.get("kind") or "").lower() or None
    return Card(said.get("fn"), said.get("org"), kind, said.get("country"), tuple(contacts))


def _property(given: Any, where: str) -> tuple[str, Mapping[str, Any], list[Any]]:
    """Name, parameters and values of one property; its values may be lists, and lists of these, no deeper."""
    if not isinstance(given, list) or len(given) < 4:
        refuse("[name, parameters, type, value] is right", where)
    name, parameters, type_, *found = given
    if not isinstance(name, str) or not isinstance(parameters, Mapping) or not isinstance(type_, str):
        refuse("a name, an object of parameters and a type are right", where)
    if any(_depth(value) > 2 for value in found):
        refuse("the value is nested too deeply", where)
    return name.lower(), parameters, found


def _depth(value: Any) -> int:
    if isinstance(value, Mapping):
        return 9
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _contacts(name: str, parameters: Mapping[str, Any], found: list[Any]) -> Iterator[tuple[str, Any]]:
    for value in found:
        given = value.strip() if isinstance(value, str) else ""
        if not given:
            continue  # withheld (RFC 9537) or never there
        if name == "email":
            yield "email", given.removeprefix("mailto:")
        elif name == "tel" and "fax" not in _types(parameters):
            number = given.removeprefix("tel:")
            if number:
                yield "phone", number
        elif name == "contact-uri":  # RFC 8605
            is_mail = given.startswith("mailto:")
            yield ("email", given.removeprefix("mailto:")) if is_mail else ("form", given)


def _types(parameters: Mapping[str, Any]) -> set[str]:
    given = parameters.get("type")
    return {str(word).lower() for word in (given if isinstance(given, list) else [given])}


def _country(parameters: Mapping[str, Any], value: Any) -> str | None:
    """The code in parameter `cc` (RFC 8605), else in the seventh part of the address."""
    parts = value if isinstance(value, list) else []
    for given in (parameters.get("cc"), parts[6] if len(parts) > 6 else None):
        if isinstance(given, str) and len(given.strip()) == 2:
            return alpha2(given.strip())
    return None


def _text(raw: Any) -> str | None:
    try:
        return values.text(300)(" ".join(raw.split())) if isinstance(raw, str) else None
    except Invalid:
        return None
