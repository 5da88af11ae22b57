"""One team: what the directory knows of it, and how it answered the workspace that asks."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask import g, redirect, render_template, request, url_for

from pocdir import running
from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.directory.checks import queries as checks
from pocdir.directory.pages.teams import shown
from pocdir.directory.queries.parts import standing_slug
from pocdir.site.pages.lookup import blueprint
from pocdir.site.queries.responsiveness import record_of


@blueprint.get("/teams/<slug>")
@guard("directory.read")
def team(slug: str) -> Any:
    """How to reach it, what it answers for, and who says so; its record only for a workspace, its own."""
    if not request.args.get("as_of") and (stands := standing_slug(slug)) != slug:
        return redirect(url_for("site.team", slug=stands), 301)
    known = record_of(g.principal, slug, now=clock.now())
    page = shown(slug)
    letters = checks.of_team(page["team"]["id"]) if page["inner_dates"] and not page["as_of"] else ()
    return render_template(
        "directory/team.html", **page, letters=letters, asking=_asking(page), responsiveness=known
    )


def _asking(page: dict[str, Any]) -> dict[str, Any] | None:
    """For stewards: when the team is asked to confirm its entry next, and whether letters are switched on."""
    team = page["team"]
    if not g.principal.may("directory.mark", "other") or page["as_of"] or team["retired_at"]:
        return None
    settings = running.settings()
    after = dt.timedelta(seconds=settings.confirm_after)
    return {"on": settings.confirmations, "next": checks.next_letter(team["id"], after)}
