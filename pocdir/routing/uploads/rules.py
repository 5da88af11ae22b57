"""A file that somebody brought to be split: how large, how long it is kept, and what its folder is called."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

MEGABYTE = 1024 * 1024
STRANGERS_MB = 16  # without an account
STRANGERS_MADE_MB = 256  # of all that comes of one such file: packed ones swell, and rows get reasons
HELD_TIMES = (
    60  # so much more than the largest file all that a workspace brought may hold, with what came of it
)
MADE_TIMES = 20  # so much more than the largest file may come of one that somebody with an account brings
KEPT_FOR = dt.timedelta(hours=24)
MOST_WAITING = 20
MOST_TRIES = 2  # a file at which the work dies twice is not tried again
RESULT, PACKED, ASKED, REFUSED, PROGRESS, TRIES = (
    "result",
    "parcels.zip",
    "asked.json",
    "refused.json",
    "progress.json",
    "tries",
)
BROUGHT = "brought"  # the file itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was brought, and how it is to be routed; kept beside the file.

    `question` holds the words of rules.question.question; `workspace` is whose alone it is, None for whoever has
    the link; `moment` is when it came (ISO 8601); `waits`: it is the worker's, not a request's that holds on.
    """

    name: str
    size: int  # bytes
    report: str
    columns: tuple[str, ...]
    question: dict[str, Any]
    raw: bool
    workspace: int | None
    moment: str
    waits: bool

    @property
    def at(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.moment)

    @property
    def until(self) -> dt.datetime:
        """When it is deleted, with all that came of it."""
        return self.at + KEPT_FOR


def new_token() -> str:
    """The secret part of an upload's link: 160 random bits."""
    return secrets.token_urlsafe(20)


def folder_of(token: str) -> str:
    """The name of its folder, from which nobody learns the link."""
    return hashlib.sha256(token.encode()).hexdigest()[:40]


def most_bytes(megabytes: int, *, known: bool) -> int:
    """How large a file may be: as the operator says, for a stranger at most STRANGERS_MB."""
    return (megabytes if known else min(megabytes, STRANGERS_MB)) * MEGABYTE


def most_made(megabytes: int, *, known: bool) -> int:
    """How many bytes may come of a file, in an installation that takes files of so many megabytes."""
    return (MADE_TIMES * megabytes if known else STRANGERS_MADE_MB) * MEGABYTE


def most_held(megabytes: int, *, strangers: int, workspace: int | None) -> int:
    """How many bytes may lie here of a workspace, or of all people without an account together (`strangers`)."""
    return strangers if workspace is None else HELD_TIMES * megabytes * MEGABYTE


def shown_name(name: str | None) -> str:
    """A file's name as it is shown: without folders and control characters."""
    plain = "".join(sign for sign in (name or "") if sign.isprintable()).replace("\\", "/")
    return plain.rpartition("/")[2][:100] or "upload"
