"""In CI a skipped test fails the run: what did not run was not tested."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

# Node ids (or their beginnings) that may be skipped in CI, each with its reason beside it.
MAY_SKIP: tuple[str, ...] = ()

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    return _judged(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    return _judged(report)


def _judged(report: Report) -> Report:
    allowed = hasattr(report, "wasxfail") or report.nodeid.startswith(MAY_SKIP or ("\0",))
    if os.environ.get("CI") and report.skipped and not allowed:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where nothing may be skipped: {reason}"
    return report
