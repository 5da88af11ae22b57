"""Security headers: a strict policy, and nothing private in a cache."""

from __future__ import annotations

from flask import Flask, Response, request

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_PUBLIC = ("static",)


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
            headers[name] = value
        if "Cache-Control" not in headers and request.endpoint not in _PUBLIC:
            headers["Cache-Control"] = "no-store"
        return response

    app.after_request(add)
