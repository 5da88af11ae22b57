"""Who may do what: the one authorization matrix, as data."""

from __future__ import annotations

SITE_ROLES = ("steward", "auditor", "admin")
WORKSPACE_ROLES = ("researcher", "owner")
