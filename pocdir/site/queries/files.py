"""Files that are to be split: how large and how many, and whether what goes with them is right."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from pocdir import running
from pocdir.accounts.guards import Principal, current_principal
from pocdir.core.errors import Refusal
from pocdir.routing.queries import index, question
from pocdir.routing.uploads import rules
from pocdir.routing.uploads.queries import Upload
from pocdir.web import limits

STRANGERS = limits.Limit("files of strangers", most=20, seconds=3600)  # from one address
MEMBERS = limits.Limit("files", most=240, seconds=3600)


def most_bytes() -> int:
    """How large a file whoever asks may bring."""
    settings = running.settings()
    return rules.most_bytes(settings.upload_mb, known=current_principal().kind != "anonymous")


def holds_bytes() -> int:
    """How much all files of the caller's workspace, or of all without one, may hold here, with what comes of them."""
    settings, workspace = running.settings(), current_principal().workspace_id
    strangers = settings.strangers_mb * rules.MEGABYTE
    return rules.most_held(settings.upload_mb, strangers=strangers, workspace=workspace)


def count_file(principal: Principal, address: str | None, now: dt.datetime) -> None:
    """Raises TooMany `too_many`."""
    if principal.kind != "anonymous":
        limits.spend(MEMBERS, principal.actor, now)
    elif address not in ("127.0.0.1", "::1"):  # a proxy in front, not one eager sender
        limits.spend(STRANGERS, limits.network(address), now)


def checked(words: Mapping[str, Any], *, on: dt.date) -> None:
    """Raises Invalid where what goes with the file is wrong: before the file is read."""
    question(index(), on=on, **words)


def refused(upload: Upload) -> Refusal:
    """The refusal that stands in the upload's folder."""
    told = upload.refusal
    code, message, where = told["code"], told["message"], told["where"]
    refusal = Refusal(code, message, where=where)
    refusal.status = told["status"]
    return refusal
