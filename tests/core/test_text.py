"""Words as people mean them, and sentences as they are read."""

from pocdir.core.text import isolated


def test_a_day_in_a_letter_from_right_to_left_is_not_read_backwards():
    said = "نرجو الرد بحلول 2026-11-24 12:00 بالتوقيت العالمي UTC."
    apart = isolated(said, "ar")
    assert "\u20662026-11-24 12:00\u2069" in apart
    assert isolated(apart, "ar") == apart
    assert isolated("By 2026-11-24.", "en") == "By 2026-11-24."
    for name in ("https://x.example/2026-11-24/1", "hits-2026-11-24.csv", "0192f0c1-2026-11-24-9f01"):
        assert isolated(name, "ar") == name
