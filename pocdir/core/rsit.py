"""The Reference Security Incident Taxonomy (CC0): what a report is about, keyed on its machine values."""

from __future__ import annotations

from pocdir.core.errors import Invalid

VERSION = "1003"
CLASSES: dict[str, tuple[str, ...]] = {
    "abusive-content": ("spam", "harmful-speech", "violence"),
    "malicious-code": ("infected-system", "c2-server", "malware-distribution", "malware-configuration"),
    "information-gathering": ("scanner", "sniffing", "social-engineering"),
    "intrusion-attempts": ("ids-alert", "brute-force", "exploit"),
    "intrusions": (
        "privileged-account-compromise", "unprivileged-account-compromise", "application-compromise",
        "system-compromise", "burglary",
    ),
    "availability": ("dos", "ddos", "misconfiguration", "sabotage", "outage"),
    "information-content-security": (
        "unauthorised-information-access", "unauthorised-information-modification", "data-loss", "data-leak",
    ),
    "fraud": ("unauthorised-use-of-resources", "copyright", "masquerade", "phishing"),
    "vulnerable": (
        "weak-crypto", "ddos-amplifier", "potentially-unwanted-accessible", "information-disclosure",
        "vulnerable-system",
    ),
    "other": ("other", "undetermined"),
    "test": ("test",),
}  # fmt: skip


def check(class_: str | None, type_: str | None) -> None:
    """Nothing, a class, or a class and one of its types; raises Invalid `class_invalid`, `type_invalid`."""
    if class_ is None and type_ is None:
        return
    if class_ is None:
        raise Invalid("class_invalid", "a type needs its class beside it", where="class")
    if class_ not in CLASSES:
        raise Invalid(
            "class_invalid", f"{class_[:40]!r} is no class; one of {', '.join(CLASSES)}", where="class"
        )
    if type_ is not None and type_ not in CLASSES[class_]:
        known = ", ".join(CLASSES[class_])
        raise Invalid("type_invalid", f"{type_[:40]!r} is no type of {class_}; one of {known}", where="type")
