"""What the web toolkit remembers: keys of repeated requests."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from pocdir.db import Base


class IdempotencyKey(Base):
    """One answered write: the same key and body get the same answer, rebuilt from `resource`."""

    __tablename__ = "idempotency_keys"

    scope: Mapped[str] = mapped_column(String(120), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))  # keyed (HMAC), so that short bodies cannot be guessed
    resource: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[dt.datetime] = mapped_column(index=True)


class RateLimit(Base):
    """How often something was tried in the window that ends at `expires_at` (seconds since 1970)."""

    __tablename__ = "rate_limits"

    key: Mapped[str] = mapped_column(
        String(64), primary_key=True
    )  # keyed digest: no address or account in it
    count: Mapped[int]
    expires_at: Mapped[float] = mapped_column(index=True)
