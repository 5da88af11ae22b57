"""Security headers: a strict policy, and nothing private in a cache but what the way back needs."""

from __future__ import annotations

from flask import Flask, Response, request

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_PUBLIC = ("static",)
# What anybody may read, and a cache may keep if it asks again. Nothing else is kept, whatever an answer says of
# itself: a file that is sent calls itself public.
MIRRORED = "public, no-cache"
# A page that answers a form can be had again by nobody who does not send the form: it stays in the reader's own
# browser, so that the way back leads to it. Those of the accounts show passwords' forms and secrets, once.
_KEPT_BY_READER = "private, no-cache"
_SHOWN_ONCE = ("accounts",)


def init_app(app: Flask, *, https: bool) -> None:
    """Add the headers to every answer."""
    fixed = [
        ("Content-Security-Policy", POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ]
    if https:
        fixed.append(("Strict-Transport-Security", "max-age=31536000; includeSubDomains"))

    def add(response: Response) -> Response:
        headers = response.headers
        for name, value in fixed:
            headers.add(name, value)
        said = "".join(headers.getlist("Cache-Control"))
        if request.endpoint not in _PUBLIC and said != MIRRORED and "no-store" not in said:
            headers["Cache-Control"] = _KEPT_BY_READER if _answers_a_form(response) else "no-store"
        return response

    app.after_request(add)


def _answers_a_form(response: Response) -> bool:
    return (
        request.method == "POST"
        and response.mimetype == "text/html"
        and response.status_code in (200, 422)
        and request.blueprint not in _SHOWN_ONCE
    )
