"""What the worker does about uploads: go on with those that wait, delete the old ones."""

from __future__ import annotations

import datetime as dt

from pocdir import running
from pocdir.routing.uploads import actions
from pocdir.routing.uploads.child import go_on


def route_waiting(_now: dt.datetime) -> int:
    """See to it that somebody routes what waits: also what a process that died had begun."""
    settings = running.settings()
    return int(go_on(settings))


def forget_old(now: dt.datetime) -> int:
    """Delete uploads and their parcels after a day."""
    settings = running.settings()
    return actions.forget_old(settings.data, now=now)
