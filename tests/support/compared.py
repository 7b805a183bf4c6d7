"""Says at the end of a run how much of the published contract was compared, across processes too."""

import pytest

_COMPARED = {
    "test_the_paper_broker_takes_the_requests_of_the_collection": "requests",
    "test_the_paper_broker_answers_as_published": "example responses",
    "test_the_paper_broker_has_the_fields_that_came_later": "newer answers",
    "test_the_bodies_of_a_cassette_are_as_published": "cassettes",
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = [report.nodeid for report in terminalreporter.stats.get("passed", [])]
    counts = {what: sum(f"::{test}[" in name for name in passed) for test, what in _COMPARED.items()}
    if any(counts.values()):
        said = ", ".join(f"{count} {what}" for what, count in counts.items())
        terminalreporter.write_line(f"The paper broker is as published in {said}.")
