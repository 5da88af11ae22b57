"""The Traffic Light Protocol 2.0: five labels, from what all may know to what nobody passes on."""

from __future__ import annotations

from pocdir.core.errors import Invalid

CLEAR, GREEN, AMBER, AMBER_STRICT, RED = LABELS = (
    "TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED",
)  # fmt: skip
_SPELLINGS = {
    spelling: label for label in LABELS for spelling in (label, label.removeprefix("TLP:"))
} | dict.fromkeys(("TLP:WHITE", "WHITE"), CLEAR)  # TLP 1.0's name: read, never written


def parse(text: str) -> str:
    """The label as it is written, from any case, with or without `TLP:`; raises Invalid `tlp_invalid`."""
    label = _SPELLINGS.get(text.strip().upper())
    if label is None:
        raise Invalid("tlp_invalid", f"{text[:40]!r} is no TLP label; write one of {', '.join(LABELS)}")
    return label


def rank(label: str) -> int:
    """0 for CLEAR up to 4 for RED; for labels as `parse` gives them."""
    return LABELS.index(label)


def strictest(label: str, *others: str) -> str:
    """The effective label of things that are shown together."""
    return max((label, *others), key=rank)


def is_at_least(label: str, floor: str) -> bool:
    """Whether `label` is as strict as `floor`, or stricter."""
    return rank(label) >= rank(floor)
