"""One indicator asked about: its answer in the published shape, the same for API, page and command."""

from __future__ import annotations

from typing import Any

from pocdir.routing.rules.index import Index
from pocdir.routing.rules.question import Question, answered
from pocdir.routing.rules.resolver import answer_json


def looked_up(index: Index, text: str, asked: Question) -> dict[str, Any]:
    """The answer in its published shape; raises Invalid `indicator_invalid` at `q`."""
    return answer_json(answered(index, text, asked))


def not_looked_up(index: Index, text: str, reason: str) -> dict[str, Any]:
    """The same shape for what is no indicator, where each of several has an answer: `invalid`, the reason a note."""
    return {
        "status": "invalid",
        "query": {"input": text, "kind": None, "value": None},
        "registry": None,
        "notes": [reason],
        "directory_version": index.directory_version,
        "registry_version": index.registry.version if index.registry else None,
        "contacts": [],
        "rejected": [],
    }


def sectors(index: Index) -> list[str]:
    """The sectors that somebody in the directory answers for."""
    return sorted({key.rpartition("/")[2] for key in index.sectors})


def totals(index: Index) -> dict[str, Any]:
    """What the directory holds, as its first page tells: teams, codes with one, addresses, newest source."""
    teams = [indexed.team for indexed in index.indexed.values()]
    channels = [channel for team in teams for channel in team.channels if channel.audience == "public"]
    return {
        "teams": len(teams),
        "codes": len({team.country for team in teams if team.country}),
        "addresses": len({(channel.kind, channel.value) for channel in channels}),
        "as_of": max((channel.as_of for channel in channels), default=None),
    }
