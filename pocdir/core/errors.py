"""Refusals: what was wrong, where, and what would be right."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - the field's word: a door refuses
    """A clear no; `code` is stable and documented, `where` names the field, line or path."""

    status = 400

    def __init__(
        self,
        code: str,
        message: str,
        *,
        where: str | None = None,
        errors: dict[str, list[str]] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where
        self.errors = errors or ({where: [message]} if where else {})
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class Invalid(Refusal):
    """The input is not meant for this door."""

    status = 422


class Unauthenticated(Refusal):
    """Nobody has signed in, or the token is not one of ours."""

    status = 401


class Forbidden(Refusal):
    """Known, and not allowed."""

    status = 403


class NotFound(Refusal):
    """Missing, or somebody else's: the answer is the same."""

    status = 404


class Conflict(Refusal):
    """It contradicts what stands already."""

    status = 409


class Gone(Refusal):
    """It was here, and is no more."""

    status = 410


class TooLarge(Refusal):
    """More bytes than this door takes."""

    status = 413


class Stale(Refusal):
    """The row changed since it was read (If-Match)."""

    status = 412


class TooMany(Refusal):
    """Asked too often; `retry_after` seconds."""

    status = 429


class Unavailable(Refusal):
    """Not now; try again after `retry_after` seconds."""

    status = 503
