"""The addresses whose path carries a secret: the one list of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class SecretLink(NamedTuple):
    """What holds for a link beside its secret, which no log keeps."""

    for_recipients: bool = (
        False  # who never chose to come here: in every language that the recipient's pages have
    )
    needs_session: bool = True  # else the link alone is the right, and its forms work without a cookie


SECRET_LINKS: Mapping[str, SecretLink] = {
    "/r/entry/": SecretLink(for_recipients=True, needs_session=False),
    "/r/": SecretLink(for_recipients=True, needs_session=False),
    "/claim/": SecretLink(for_recipients=True),
    "/proposed/": SecretLink(for_recipients=True, needs_session=False),
    "/welcome/": SecretLink(),
    "/join/": SecretLink(),
    "/feed/": SecretLink(),
    "/route/": SecretLink(),
}
RECIPIENT_PATHS = tuple(path for path, it in SECRET_LINKS.items() if it.for_recipients)
SESSIONLESS_PATHS = tuple(path for path, it in SECRET_LINKS.items() if not it.needs_session)
