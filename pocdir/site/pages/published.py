"""What is published about ourselves: the rules of the order, and the API in short."""

from __future__ import annotations

from typing import Any

from flask import current_app, render_template

from pocdir import running
from pocdir.accounts.guards import guard
from pocdir.accounts.rules import MATRIX
from pocdir.core import times
from pocdir.routing.rules import order
from pocdir.site.pages.lookup import blueprint


@blueprint.get("/rules")
@guard("page.read")
def rules() -> str:
    """The order of contacts, from the tables that the resolver sorts by."""
    return render_template("site/rules.html", order=order, seconds=_seconds)


def _seconds(duration: str) -> float:
    return times.duration(duration).total_seconds()


@blueprint.get("/api")
@guard("page.read")
def api_docs() -> str:
    """Every operation of the OpenAPI document, with the scope that its view is guarded by."""
    return render_template(
        "docs/api.html", operations=_operations(), base_url=running.settings().external_url
    )


def _operations() -> list[dict[str, Any]]:
    found = []
    for rule in current_app.url_map.iter_rules():
        view = current_app.view_functions[rule.endpoint]
        if rule.endpoint.startswith("api-docs.") or not (
            rule.rule.startswith("/api/v1/") or rule.endpoint.startswith(("downloads.", "intelmq."))
        ):
            continue
        action = str(getattr(view, "guarded_action", "page.read"))
        public = bool(MATRIX[action]["anonymous"])
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            found.append(
                {
                    "method": method,
                    "path": rule.rule.replace("<", "{").replace(">", "}"),
                    "summary": (view.__doc__ or "").strip().split("\n")[0],
                    "scope": None if public else action,
                    "auth": not public,
                }
            )
    return found
