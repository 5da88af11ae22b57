"""Which key is pinned for which address: what every answer needs, without the people who decide about keys."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from pocdir.db import db, table_of
from pocdir.directory.keys.models import TeamKey
from pocdir.directory.keys.rules import PINNED
from pocdir.directory.queries.reading import whole_of

_KEY = table_of(TeamKey).c


def pinned(team_ids: Sequence[int] | None = None) -> dict[int, dict[str, str]]:
    """{team: {address: fingerprint}} of what is pinned; each address has one at most."""
    chosen = select(whole_of(_KEY.team_id), _KEY.addresses, _KEY.fingerprint).where(_KEY.state == PINNED)
    if team_ids is not None:
        chosen = chosen.where(whole_of(_KEY.team_id).in_(team_ids))
    found: dict[int, dict[str, str]] = {}
    for team_id, addresses, fingerprint in db.session().connection().execute(chosen.order_by(_KEY.pinned_at)):
        found.setdefault(team_id, {}).update(dict.fromkeys(addresses, fingerprint))
    return found
