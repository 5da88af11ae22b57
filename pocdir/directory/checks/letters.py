"""The letters to a team about its own entry, in its language, with everything that the entry says and its link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import current_app
from flask_babel import force_locale

from pocdir.config import Settings
from pocdir.directory.checks.actions import Letter, Post
from pocdir.directory.checks.models import Check
from pocdir.directory.office import office
from pocdir.directory.queries import entries
from pocdir.directory.queries.entries import Entry
from pocdir.directory.rules import check_link
from pocdir.directory.rules import checks as rules
from pocdir.directory.rules.office import language_for
from pocdir.directory.rules.record import QUALIFIES
from pocdir.mail.rules import first_line

_ASKED_FOR = {rules.CONFIRMATION: first_line.CONFIRM, rules.PING: first_line.RECEIVED}


@dataclass(frozen=True, slots=True)
class _Words:
    """A template of plain text: its blocks are a letter's subject and body."""

    name: str

    def block(self, block: str, values: dict[str, Any]) -> str:
        template = current_app.jinja_env.get_template(self.name)
        context = template.new_context(values)
        return "".join(template.blocks[block](context)).strip()


def post() -> Post:
    """How the running application writes."""
    return Post(office().mail_domain, compose)


def compose(entry: Entry, check: Check, reminder: bool) -> Letter:
    """A confirmation's letter or a test's, for the first or for a second time."""
    url = office().url
    values = {
        "team": entry.team,
        "said": said(entry),
        "channels": entry.channels,
        "responsibilities": entry.responsibilities,
        "last": entry.team.confirmed_at,
        "sent_at": check.sent_at,
        "reminder": reminder,
        "link": f"{url}/r/entry/{link_token(check)}",
        "service": url,
        "most": rules.MOST_A_YEAR,
    }
    language = language_for(entry.team.languages)
    # Only what leaves through our relay bears the sign by which a reply is known.
    settings: Settings = current_app.extensions["pocdir"]
    values["word"] = first_line.SAID[_ASKED_FOR[check.kind]][language][0] if settings.relay else None
    words = _Words(f"directory/letter_{check.kind}.txt")
    with force_locale(language):
        return Letter(
            " ".join(words.block("subject", values).split()), words.block("body", values) + "\n", language
        )


def link_token(check: Check) -> str:
    """The token of the link in a check's letters."""
    address = check.address
    expires = check.queued_at.replace(microsecond=0) + check_link.LIFE
    return check_link.check_token(
        office().secret, check.ref, address.kind, address.value, address.version, expires
    )


def said(entry: Entry) -> dict[str, Any]:
    """Every fact that the entry says, by its field; who declares one stands behind it."""
    facts = entries.said(entry.team)
    return {
        name: value for name, value in facts.items() if value not in (None, [], {}) and name not in QUALIFIES
    }
