"""The directory over HTTP, in pocdir's own shape."""

from __future__ import annotations

from typing import Any

from flask import Response, g, url_for

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.codes import alpha2
from pocdir.core.errors import Conflict, Invalid
from pocdir.db import transaction
from pocdir.directory import schemas
from pocdir.directory.actions import edits
from pocdir.directory.formats import records
from pocdir.directory.presentation.team import channels_for
from pocdir.directory.proposals.actions import must_be_proposed
from pocdir.directory.proposals.queries import is_second, wanted
from pocdir.directory.queries import dates, entries, listings, sources, versions
from pocdir.directory.queries.entries import Entry
from pocdir.directory.queries.reading import NOW, Reading
from pocdir.directory.rules import record as rules
from pocdir.web.api import Blueprint
from pocdir.web.etags import require_match, tagged
from pocdir.web.idempotency import once
from pocdir.web.paging import page
from pocdir.web.schemas import PageQuery

blueprint = Blueprint("directory_api", __name__, url_prefix="/api/v1", description="Whom to tell")
_answer = schemas.WholeTeam()


@blueprint.route("/teams")
@guard("directory.read")
@blueprint.arguments(schemas.TeamQuery(), location="query")
@blueprint.response(200, schemas.TeamPage)
def teams(query: dict[str, Any]) -> Any:
    """Teams by name, address, domain, country, kind."""
    country = query["country"] and _code(query["country"])
    reading = _reading(query["as_of"])
    found = listings.teams_after(
        query["cursor"],
        query["limit"] + 1,
        q=query["q"],
        country=country,
        kind=query["kind"],
        audiences=rules.audiences(g.principal.roles),
        reading=reading,
    )
    found = found if reading.at else entries.with_keys(found)
    told = dates.of_teams([it.team for it in found], g.principal, reading=reading)
    listed = page(found, query["limit"], lambda entry: str(entry.team.slug))
    return listed | {"items": [shown(it, told[it.team.slug]) for it in listed["items"]]}


@blueprint.route("/teams", methods=["POST"])
@guard("directory.edit")
@blueprint.arguments(schemas.NewTeam())
@blueprint.response(201, schemas.WholeTeam)
def create_team(given: dict[str, Any]) -> Any:
    """Enter a team, as a steward."""
    record = schemas.checked(records.team_record, given)
    now, actor = clock.now(), g.principal.actor
    with transaction() as session:

        def act() -> str:
            if any(is_second(session, row) for row in record.responsibilities):
                raise Conflict(
                    "approval_needed",
                    "who answers for this code has confirmed its entry: enter the team without it, then propose it",
                )
            return edits.create_team(session, record=record, evidence=None, now=now, actor=actor)

        slug = once(session, scope=actor, now=now, act=act)
    return whole(slug), {"Location": url_for("directory_api.team", slug=slug)}


@blueprint.route("/teams/<slug>")
@guard("directory.read")
@blueprint.arguments(schemas.AsOf(), location="query")
@blueprint.response(200, schemas.WholeTeam)
def team(query: dict[str, Any], slug: str) -> Any:
    """One team with every fact, who says so and since when; now, or as it stood."""
    reading = _reading(query["as_of"])
    return answered(slug) if reading.at is None else whole(slug, reading)


@blueprint.route("/teams/<slug>", methods=["PATCH"])
@guard("directory.edit")
@blueprint.arguments(schemas.TeamChange())
@blueprint.response(200, schemas.WholeTeam)
def change_team(given: dict[str, Any], slug: str) -> Any:
    """Change a team on a steward's word."""
    lists: dict[str, Any] = {
        name: given.pop(name) for name in ("channels", "responsibilities") if name in given
    }
    facts = schemas.checked(records.facts, given)
    with transaction() as session:
        revision = entries.team_by_slug(slug, session).revision
        require_match(revision)
        channels = _rows(lists, "channels", records.channel)
        responsibilities = _rows(lists, "responsibilities", records.responsibility)
        entry = entries.entry(slug, audiences=entries.EVERYBODY)
        if must_be_proposed(session, entry, wanted(entry, facts, channels, responsibilities)):
            raise Conflict("approval_needed", "this address or key takes two stewards: propose the change")
        edits.edit_team(
            session,
            slug=slug,
            facts=facts,
            channels=channels,
            responsibilities=responsibilities,
            revision=revision,
            now=clock.now(),
            actor=g.principal.actor,
        )
    return answered(slug)


@blueprint.route("/teams/<slug>/channels")
@guard("directory.read")
@blueprint.arguments(schemas.AsOf(), location="query")
@blueprint.response(200, schemas.TeamChannelPage)
def channels(query: dict[str, Any], slug: str) -> Any:
    """The ways to reach a team, in the order to be tried."""
    audiences, reading = rules.audiences(g.principal.roles), _reading(query["as_of"])
    return {"items": channels_for(_entry(slug, audiences, reading), g.principal), "next": None}


@blueprint.route("/teams/<slug>/history")
@guard("directory.read")
@blueprint.arguments(PageQuery(), location="query")
@blueprint.response(200, schemas.HistoryPage)
def history(query: dict[str, Any], slug: str) -> Any:
    """What was changed in the team's own entry."""
    audiences = rules.audiences(g.principal.roles)
    seen = entries.entry(slug, audiences=audiences)
    found = listings.history(seen.team.slug, after=query["cursor"], limit=query["limit"] + 1)
    listed = page(found, query["limit"], lambda event: event.id)
    return listed | {"items": listings.happened(listed["items"], seen, audiences)}


def shown(entry: Entry, told: dict[str, Any]) -> dict[str, Any]:
    """The values of a team's answer; `told` are its three dates."""
    rows = {"channels": channels_for(entry, g.principal), "responsibilities": entry.responsibilities}
    return {**entry.team._mapping, **entries.said(entry.team), **rows, "dates": told}


def whole(slug: str, reading: Reading = NOW) -> dict[str, Any]:
    """A team's answer with every fact."""
    entry = _entry(slug, rules.audiences(g.principal.roles), reading)
    told = dates.of_teams([entry.team], g.principal, reading=reading)[entry.team.slug]
    return shown(entry, told) | {"facts": sources.facts_of(entry.team.slug, reading=reading)}


def _entry(slug: str, audiences: frozenset[str], reading: Reading) -> Entry:
    entry = entries.entry(slug, audiences=audiences, reading=reading)
    return entry if reading.at else entries.with_keys([entry])[0]


def _reading(as_of: str | None) -> Reading:
    return versions.reading_of(as_of, now=clock.now())


def answered(slug: str) -> Response:
    """The answer with its ETag."""
    values = whole(slug)
    return tagged(Response(_answer.dumps(values), content_type="application/json"), values["revision"])


def _rows(lists: dict[str, Any], name: str, check: Any) -> list[Any] | None:
    if name not in lists:
        return None
    return [schemas.checked(check, raw, f"{name}.{n}.") for n, raw in enumerate(lists[name])]


def _code(text: str) -> str:
    code = alpha2(text)
    if code is None:
        raise Invalid("country_invalid", "a country code is right, such as AT", where="country")
    return code
