"""Home and the answer page: the question is posted, so that no address bar and no log keeps it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pocdir.accounts.guards import guard
from pocdir.core import clock, rsit, times, tlp
from pocdir.core.errors import Invalid
from pocdir.outreach.queries import notifications as outreach
from pocdir.outreach.queries import told
from pocdir.outreach.rules import letter as letters
from pocdir.routing.queries import index, index_as_of, question
from pocdir.routing.rules.decide import alternatives
from pocdir.routing.rules.index import Index
from pocdir.site.queries.lookup import looked_up, sectors, totals
from pocdir.site.queries.responsiveness import with_responsiveness
from pocdir.web.forms import Form

blueprint = Blueprint("site", __name__)
MOST_LINES = 1000
NARROWING = ("sector", "kind_of_report", "exclude_team", "exclude_country", "as_of")


@blueprint.get("/", strict_slashes=False)  # else an empty path is redirected to the Host that was sent
@guard("page.read")
def home() -> str:
    known = index()
    return render_template(
        "site/home.html",
        form=Form(),
        **choices(known),
        totals=totals(known),
        decisions=_decisions(),
    )


@blueprint.get("/lookup")
@guard("page.read")
def ask() -> Any:
    return redirect(url_for("site.home"))


@blueprint.post("/lookup")
@guard("lookup.ask")
def lookup() -> Any:
    known, now = index(), clock.now()
    lines = _lines()
    hosts = request.form.getlist("exclude_host")
    typed = Form(
        values={"q": "\n".join(lines), "exclude_host": hosts}
        | {name: request.form.get(name, "") for name in NARROWING}
    )
    answers: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    try:
        if not lines:
            raise Invalid("indicator_invalid", _("Paste an address, a name, a country or a team."), where="q")
        if len(lines) > MOST_LINES:
            raise Invalid("indicator_invalid", _("At most 1,000 lines at once."), where="q")
        known, on = _stood(typed.values["as_of"].strip(), now)
        asked = question(
            known,
            on=on,
            sector=typed.values["sector"],
            kind_of_report=typed.values["kind_of_report"],
            exclude_team=_several("exclude_team"),
            exclude_country=_several("exclude_country"),
            exclude_host=hosts,
        )
        others = [
            {"team": {"slug": team.slug, "name": team.name}} for team in alternatives(known, asked.wish)
        ]
        for line in lines:
            try:
                answers.append(looked_up(known, line, asked))
            except Invalid as error:
                if len(lines) == 1:
                    raise
                answers.append(_no_indicator(line, error.message))
    except Invalid as error:
        typed.refuse(error)
        answers = []
    if g.principal.workspace_id is not None:
        right = [answer for answer in answers if answer["status"] != "invalid"]
        with_responsiveness(right, g.principal, now=now)
    page = render_template(
        "site/lookup.html",
        form=typed,
        answers=[answer | _extras(known, answer, others) for answer in answers],
        details=_details(known, answers, now),
        attributions=known.registry.attributions if known.registry else (),
        **choices(known),
    )
    return page, 422 if typed.errors else 200


def _stood(day: str, now: dt.datetime) -> tuple[Index, dt.date]:
    """The directory of the day asked for; only the newest version lies in memory, an older one is not for everybody."""
    if day and g.principal.kind == "anonymous":
        raise Invalid("as_of_invalid", _("Sign in to ask what stood on a day."), where="as_of")
    return index_as_of(day, now=now)


def _lines() -> list[str]:
    """What was asked: of the line and the box, whichever was filled (a button's example comes last)."""
    texts = [text for text in request.form.getlist("q") if text.strip()]
    return [line.strip() for line in (texts[-1] if texts else "").splitlines() if line.strip()]


def _several(name: str) -> list[str]:
    text = request.form.get(name, "").strip()
    return [text] if text else []


def choices(known: Index) -> dict[str, Any]:
    kinds = [
        (f"{class_}/{type_}", f"{class_}: {type_}")
        for class_, types in rsit.CLASSES.items()
        for type_ in types
    ]
    return {"sectors": [(name, name) for name in sectors(known)], "report_kinds": kinds}


def _no_indicator(line: str, error: str) -> dict[str, Any]:
    return {
        "status": "invalid",
        "query": {"input": line, "kind": None, "value": None},
        "registry": None,
        "contacts": [],
        "rejected": [],
        "notes": [],
        "error": error,
    }


def _extras(known: Index, answer: dict[str, Any], others: list[dict[str, Any]]) -> dict[str, Any]:
    """A letter to the first contact, and where there is none, who takes reports for others."""
    return {
        "letter": _letter(answer) if answer["contacts"] else None,
        "alternatives": [] if answer["contacts"] else others,
        "contacts": [contact | {"seconds": _seconds(contact)} for contact in answer["contacts"]],
        "rejected": [
            out | {"team": out["team"] | {"name": known.indexed[out["team"]["slug"]].team.name}}
            for out in answer["rejected"]
        ],
    }


def _seconds(contact: dict[str, Any]) -> float | None:
    """How long to wait for an answer before the next one is tried."""
    after = contact["try_next_after"]
    return times.duration(after).total_seconds() if after else None


def _letter(answer: dict[str, Any]) -> dict[str, str] | None:
    """A minimal letter for somebody without an account: what was seen, and who may know it."""
    channel, seen = answer["contacts"][0]["channel"], answer["query"]["value"]
    if channel["kind"] != "email":
        return None
    subject = f"[{tlp.AMBER}] " + _("Report about an address in your responsibility")
    body = "\n\n".join(
        (
            tlp.AMBER,
            _(
                "We report the following to you because, as far as we know, it lies within your responsibility."
            ),
            seen,
            _("What was seen, when (with its zone), and how:"),
            _("A reply is enough. Please tell us that a person has received this."),
            _("Your name, and how to reach you:"),
        )
    )
    return {
        "subject": subject,
        "body": body,
        "mailto": letters.mailto_url(channel["value"], subject, body, _),
    }


def _details(known: Index, answers: list[dict[str, Any]], now: dt.datetime) -> dict[str, Any]:
    """What the page shows of each team beside the answer: phones, languages, their time."""
    slugs = {contact["team"]["slug"] for answer in answers for contact in answer["contacts"]}
    found = {}
    for slug in slugs:
        team = known.indexed[slug].team
        public = [channel for channel in team.channels if channel.audience == "public"]
        found[slug] = {
            "phones": list(dict.fromkeys(channel.value for channel in public if channel.kind == "phone")),
            "languages": team.languages,
            "timezone": team.timezone,
            "local_time": _their_time(team.timezone, now),
            "website": team.website,
            "lead": bool(public)
            and all(channel.confidence == "low" and channel.state != "verified" for channel in public),
        }
    return found


def _their_time(zone: str | None, now: dt.datetime) -> dt.datetime | None:
    there = times.zone_of(zone)
    return now.astimezone(there) if there else None


def _decisions() -> list[dict[str, Any]]:
    """What waits for the reader's team or workspace: those that are not empty."""
    return [each for each in (*_told(), *_of_workspace()) if each["count"]]


def _told() -> list[dict[str, Any]]:
    if g.principal.team_id is None:
        return []
    return [
        {
            "title": _("Told to you"),
            "count": told.counts(g.principal.team_id)["open"],
            "text": _("reports to your team without a word of yours here"),
            "href": url_for("outreach.told"),
        }
    ]


def _of_workspace() -> list[dict[str, Any]]:
    if g.principal.workspace_id is None:
        return []
    waiting = outreach.counts(g.principal)
    return [
        {
            "title": _("Asked for, and not recorded"),
            "count": waiting["unrecorded"],
            "text": _("notifications; the time named has passed"),
            "href": url_for("outreach.unanswered"),
        },
        {
            "title": _("Could not be delivered"),
            "count": waiting["undeliverable"],
            "text": _("notifications; ours to mend: find another address"),
            "href": url_for("outreach.unanswered", state="undeliverable"),
        },
    ]
