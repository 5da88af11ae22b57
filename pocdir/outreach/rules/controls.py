"""An incident's controls: what is watched and told to nobody, so that it shows what happens without notice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pocdir.core.errors import Conflict


@dataclass(frozen=True, slots=True)
class Controls:
    """Addresses of which one is a control: by value the port (0: none) of each, and whether it is one."""

    by_value: Mapping[str, Mapping[int, bool]] = field(default_factory=dict)

    def names(self, value: str, port: int | None) -> bool:
        """Whether a notification that names this address speaks of a control."""
        known = self.by_value.get(value, {})
        return any(known[each] for each in meant(port, list(known)))


def meant(port: int | None, known: Sequence[int]) -> list[int]:
    """Of the ports that an incident has of an address (0: none), those that are spoken of.

    Without a port all of them, with one the asset of this port, else the one without any.
    """
    if not port:
        return list(known)
    return [port] if port in known else [each for each in known if not each]


def require_untold(
    controls: Controls, assets: Iterable[Mapping[str, Any]], *, told: Collection[tuple[str, int | None]] = ()
) -> None:
    """Raises Conflict `control_told` for assets that are controls; `told`: what its reader knows of already."""
    for each in assets:
        value, port = each["value"], each.get("port")
        if controls.names(value, port) and (value, port) not in told:
            raise refused(value, where="assets")


def refused(value: str, *, where: str) -> Conflict:
    """Why a control stays out of what goes to a team."""
    message = (
        f"{value[:60]} is a control of this incident: nobody is told about it, as it shows what happens without "
        "notice. Leave it out; a control stays one, and whom it concerns is told in an incident that has it as an "
        "ordinary asset"
    )
    return Conflict("control_told", message, where=where)
