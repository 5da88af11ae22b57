"""The gathered facts, row by row: one row is what one source says of one team."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from build_rulings import ASNS_END, DROPPED_ADDRESSES, DROPPED_PHONES, MISPLACED, NAMED_SOURCES, SENDERS

from pocdir.core.text import fold

# Best first. A snapshot is an old registry: it ages worse than a list that somebody keeps.
CLASSES = ("first_party", "observed_header", "registry", "third_party_list", "registry_snapshot")
CONFIDENCES = ("high", "medium", "low")
GONE = frozenset({"outdated", "not operational", "suspended"})
NO_TEAM = frozenset({"none_known", "none_listed", "member_only", "unclear", "planned"})
KINDS = {"commercial": "other", "sector": "sectoral"}  # the others are the directory's own words


@dataclass(frozen=True, slots=True)
class Source:
    """Who says so, and when; the date as given: a year, a month or a day, None when unknown."""

    name: str
    url: str | None
    class_: str
    date: str | None

    def as_json(self) -> dict[str, str | None]:
        return {"name": self.name, "url": self.url, "class": self.class_, "date": self.date}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the material, tidied; `confidence` is what the source deserves by itself."""

    number: int
    country: str
    name: str
    short_name: str
    kind: str
    email: str
    other_emails: tuple[str, ...]
    website: str
    phones: tuple[str, ...]
    fingerprint: str
    memberships: tuple[str, ...]
    asns: tuple[int, ...]
    status: str
    note: str
    source: Source
    confidence: str

    def said(self) -> dict[str, Any]:
        """Who says so and how sure it is, as it stands beside every value."""
        return {"source": self.source.as_json(), "confidence": self.confidence}

    @property
    def standing(self) -> int:
        """The class of the source as a number, the best 0; to have sent reports is not to take them in."""
        return CLASSES.index("third_party_list" if self.email in SENDERS else self.source.class_)

    @property
    def best(self) -> tuple[int, int, str, int]:
        """Sorts the best row first: by confidence, class of the source, newest date."""
        return CONFIDENCES.index(self.confidence), self.standing, newest_first(self.source.date), self.number

    @property
    def is_snapshot_of_2012(self) -> bool:
        return self.source.date == "2012-03-29"

    @property
    def is_cna(self) -> bool:
        return "CVE CNA" in self.memberships


def newest_first(date: str | None) -> str:
    """A text that sorts later dates first and no date last."""
    return "".join(
        chr(ord("9") - int(digit) + ord("0")) for digit in (date or "0000").replace("-", "")
    ).ljust(8, "9")


def read_rows(path: Path) -> list[Row]:
    """Every row, those of teams that are gone too."""
    with path.open(encoding="utf-8", newline="") as file:
        return [_row(number, fields) for number, fields in enumerate(csv.DictReader(file))]


def _row(number: int, raw: dict[str, str]) -> Row:
    source = _source(raw)
    main, other = (
        [a for a in _emails(raw[column]) if (raw["short_name"], a) not in MISPLACED]
        for column in ("email", "email_other")
    )
    return Row(
        number=number,
        country=raw["country"],
        name=" ".join(raw["official_name"].replace(". -", " -").split()),
        short_name=raw["short_name"].strip(),
        kind=KINDS.get(raw["kind"], raw["kind"]),
        email=main[0] if main else "",
        other_emails=tuple(address for address in other if address not in main),
        website=raw["website"].strip(),
        phones=_phones(raw["phone"]),
        fingerprint=""
        if re.search(r"PGP.* expire|key expired", raw["note"], re.I)
        else raw["pgp_fingerprint"],
        memberships=tuple(part.strip() for part in raw["memberships"].split(";") if part.strip()),
        asns=_asns(raw["asns"]),
        status=raw["status"],
        note=raw["note"],
        source=source,
        confidence="low" if main and main[0] in SENDERS else _confidence(raw, source),
    )


def _emails(text: str) -> list[str]:
    found = [part.strip().lower() for part in text.split(";") if "@" in part]
    return [address for address in found if address not in DROPPED_ADDRESSES and not is_personal(address)]


ROLE_WORDS = re.compile(
    r"cert|csirt|cirt|csiirt|soc|sirt|security|sicher|abuse|incid|info|report|assist"
    r"|cyber|oper|amsn|liaison|team"
)


def is_personal(address: str) -> bool:
    """Whether a mailbox looks like a person's: firstname.lastname or initials.lastname, without a role."""
    local = address.split("@")[0]
    parts = re.split(r"[._]", local)
    return len(parts) > 1 and all(part.isalpha() for part in parts) and not ROLE_WORDS.search(local)


def _phones(text: str) -> tuple[str, ...]:
    """Numbers that can be dialled: with a country prefix, or spelled in groups as a national number is."""
    kept = []
    for part in re.split(r";|\. - ", text):
        number = " ".join(re.sub(r"^[^+0-9(]*|-ext\d*$", "", part.strip()).strip(" .").split())
        digits = re.sub(r"\D", "", number)
        shaped = re.fullmatch(r"\+?[0-9(][0-9 ()./-]*", number) and (
            number[0] == "+" or re.search("[ -]", number)
        )
        if shaped and 7 <= len(digits) <= 15 and number not in DROPPED_PHONES:
            kept.append(number)
    return tuple(kept)


def _asns(text: str) -> tuple[int, ...]:
    """AS numbers, short ranges spelled out; numbers that nobody held when the source was written fall out."""
    numbers: list[int] = []
    for part in text.replace("AS", "").split():
        first, _, last = part.partition("-")
        span = range(int(first), int(last or first) + 1)
        numbers += span if len(span) <= 64 else []
    return tuple(dict.fromkeys(number for number in numbers if 0 < number < ASNS_END))


def _confidence(raw: dict[str, str], source: Source) -> str:
    year = int((source.date or "0")[:4])
    if raw["status"] in ("unclear", "unverified since 2021"):
        return "low"
    if source.class_ == "first_party":
        if raw["status"] == "old document" or 0 < year < 2018:
            return "medium" if year >= 2013 else "low"
        return "high" if year else "medium"
    if source.class_ == "observed_header":
        return "high" if year >= 2020 else "medium" if year >= 2016 else "low"
    if source.class_ == "registry":
        return "high"
    kept_list = source.class_ == "third_party_list" and raw["status"] == "active" and year >= 2020
    return "medium" if kept_list or (source.class_ == "registry_snapshot" and year >= 2020) else "low"


def _source(raw: dict[str, str]) -> Source:
    date = raw["source_date"].strip()
    date = date if re.fullmatch(r"\d{4}(-\d\d(-\d\d)?)?", date) else None
    text = raw["source"]
    for beginning, (name, url) in NAMED_SOURCES.items():
        if text.startswith(beginning):
            return Source(name, url, raw["source_class"], date)
    found = re.search(r"https?://[^\s;)]+", text)
    url = found.group().rstrip(",") if found else None
    if text.startswith("stored code index id"):
        described = re.search(r"\((.*)\)", text)
        name = re.sub(r", repo not named.*", "", described.group(1) if described else "")
        return Source(f"Unofficial list in public code: {name}", None, raw["source_class"], date)
    if url is None:
        raise ValueError(f"no name for the source {text!r}")
    name = urlsplit(url)._replace(scheme="").geturl().strip("/")
    if text.startswith("ITU"):
        name = f"ITU cyberwellness profile ({name})"
    return Source(name[:200], url, raw["source_class"], date)


def key(text: str) -> str:
    """A name for comparing: folded, letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", fold(text))
