"""The boxes of the steward's form: facts as a person types them, and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pocdir.directory.queries import entries
from pocdir.directory.queries.entries import Entry
from pocdir.directory.rules import record as rules

MOST_ROWS = 100  # of a kind; a team with more keeps the others as they are
PLAIN = (
    "name", "short_name", "kind", "country", "website", "timezone", "parent", "business_hours", "established",
    "rfc2350", "rfc2350_date", "first_id", "ti_url", "ripe_org", "misp_uuid", "cna_name", "host_kind",
    "host_declared_by", "law_enforcement", "law_enforcement_declared_by", "neutrality_policy",
    "neutrality_declared_by", "line", "samples_how", "size_limit",
)  # fmt: skip
ALWAYS = ("name", "short_name", "kind", "country", "website", "timezone", "languages")
FLAGS = ("accepts_private", "accepts_abroad", "encryption_required", "accepts_samples")
WORDS = ("languages", "opt_outs")  # with blanks or commas between
TICKED = ("tlp", "intake")
LINES = {"names": "language", "memberships": "since"}  # `first: second` a line; which of them the second is
COLUMNS = {
    "channels": ("kind", "value", "purpose", "preference", "openpgp_fingerprint", "hours", "audience"),
    "responsibilities": ("key", "value", "role", "rank", "valid_from", "valid_to"),
}


def typed(entry: Entry) -> dict[str, Any]:
    """What is in force, as the form's boxes hold it."""
    said = entries.said(entry.team)
    values: dict[str, Any] = {name: "" if said[name] is None else said[name] for name in PLAIN}
    values |= {name: " ".join(said[name]) for name in WORDS} | {name: said[name] for name in TICKED}
    values |= {name: {None: "", True: "yes", False: "no"}[said[name]] for name in FLAGS}
    for name, second in LINES.items():
        values[name] = "\n".join(_line(it["name"], it[second]) for it in said[name])
    for name in rules.PROMISES:
        values[f"promise.{name}"] = (said["promise"] or {}).get(name, "")
    values["revision"] = entry.team.revision
    for kind, rows in (("channels", entry.channels), ("responsibilities", entry.responsibilities)):
        for n, row in enumerate(rows[:MOST_ROWS]):
            for column in COLUMNS[kind]:
                value = getattr(row, column)
                values[f"{kind}.{n}.{column}"] = "" if value is None else value
    return values


def facts(data: Mapping[str, Any], sent: Collection[str]) -> dict[str, Any]:
    """The facts of a form (`data`, loaded) whose boxes were sent; a box that was not there says nothing."""
    there = {name.partition(".")[0] for name in sent} | set(ALWAYS)
    said: dict[str, Any] = {name: data.get(name) for name in PLAIN}
    said |= {name: data[name].replace(",", " ").split() for name in WORDS}
    said |= {name: {"yes": True, "no": False}.get(data[name] or "") for name in FLAGS}
    said |= {name: [word for word in data[name] if word] for name in TICKED}
    said["promise"] = {name: length for name, length in data["promise"].items() if length} or None
    for name, second in LINES.items():
        said[name] = [_item(line, second) for line in (data[name] or "").splitlines() if line.strip()]
    return {name: value for name, value in said.items() if name in there}


def changed(entry: Entry, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that differ from those in force: saving a form confirms nothing that nobody touched."""
    said = entries.said(entry.team)
    return {name: value for name, value in wanted.items() if value != said[name]}


def _line(name: str, second: str | None) -> str:
    return f"{name} | {second}" if second else name


def _item(line: str, second: str) -> dict[str, Any]:
    name, _, rest = line.rpartition("|") if "|" in line else (line, "", "")
    return {"name": name.strip(), second: rest.strip() or None}
