"""Working hours where the recipient is: its zone, its country's weekends and public holidays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from zoneinfo import ZoneInfo

from pocdir.core.times import zone_or_utc

NINE_TO_FIVE = (dt.time(9), dt.time(17))
MOST_DAYS = 3_700  # a wait of 500 working hours ends long before
_reading = Lock()  # a country's year is worked out when it is first asked for


@dataclass(frozen=True, slots=True)
class Calendar:
    """The working day of one place; `is_working` says whether a day there is one."""

    zone: ZoneInfo
    hours: tuple[dt.time, dt.time]
    is_working: Callable[[dt.date], bool]

    def after(self, start: dt.datetime, length: dt.timedelta) -> dt.datetime:
        """The moment by which so much working time has passed since `start`; it lies within working hours.

        Opening and closing both count as within. An hour that a change of clocks leaves out is not worked,
        one that it doubles is worked twice.
        """
        day = start.astimezone(self.zone).date()
        for _ in range(MOST_DAYS):
            opens, closes = self.day(day)
            begins = max(opens, start)
            if begins <= closes and self.is_working(day) and opens < closes:
                if length <= closes - begins:
                    return begins + length
                length -= closes - begins
            day += dt.timedelta(days=1)
        raise ValueError("no working day in ten years")

    def day(self, day: dt.date) -> tuple[dt.datetime, dt.datetime]:
        """When that day opens and closes, in UTC."""
        opens, closes = (dt.datetime.combine(day, time, tzinfo=self.zone) for time in self.hours)
        return opens.astimezone(dt.UTC), closes.astimezone(dt.UTC)


def calendar(
    zone: str | None, country: str | None, hours: tuple[dt.time, dt.time] = NINE_TO_FIVE
) -> Calendar:
    """The calendar of a team with this zone (none, or no known one: UTC) and country code (none: Monday to Friday)."""
    return Calendar(zone_or_utc(zone), hours, _working_days(country))


@lru_cache(maxsize=300)
def _working_days(country: str | None) -> Callable[[dt.date], bool]:
    """Weekends and public holidays as the library `holidays` has them of this country."""
    import holidays  # the calendars of the world: not for a start

    try:
        known = holidays.country_holidays(country) if country else None
    except NotImplementedError:
        known = None
    if known is None:
        return lambda day: day.weekday() < 5

    def is_working(day: dt.date) -> bool:
        with _reading:
            return known.is_working_day(day)

    return lru_cache(maxsize=2_000)(is_working)
