"""What every function logs and counts."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from typing import Any

import pytest

from shared.observability import fault
from tests.conftest import personal_lines


@pytest.mark.promise("P11")
@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ("Person 7 has registered", {}),
        ("a mail was refused", {"address": "ann@example.org"}),
        ("opened", {"path": f"/r/abc.{'x' * 43}"}),
    ],
)
def test_a_log_line_that_names_a_person_fails_the_test_that_wrote_it(message: str, fields: dict[str, Any]) -> None:
    """The check that reads every log line of every test finds what must not stand there."""
    record = logging.LogRecord("test", logging.INFO, "app.py", 1, message, None, None)
    vars(record).update(fields)

    assert personal_lines([record])
    assert not personal_lines([logging.LogRecord("test", logging.INFO, "app.py", 1, "a run is published", None, None)])


@pytest.mark.promise("P11")
def test_what_is_logged_of_a_fault_quotes_nobody() -> None:
    """Its class and its place; its message may quote what a person typed."""
    try:
        raise ValueError("ann@example.org is no number")
    except ValueError as error:
        told = fault(error)

    assert told["why"] == "ValueError"
    assert "example" not in str(told)


def test_metrics_stand_in_the_namespace_that_the_template_names() -> None:
    """Two stacks of one account must not add up, or one hides that the other is dead."""
    code = "from shared.observability import count, metrics; count('MailsSent'); metrics.flush_metrics()"
    environment = {**os.environ, "POWERTOOLS_METRICS_NAMESPACE": "Parcours/second", "POWERTOOLS_SERVICE_NAME": "mail"}

    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    (embedded,) = json.loads(said.stdout)["_aws"]["CloudWatchMetrics"]
    assert embedded["Namespace"] == "Parcours/second"
    assert embedded["Dimensions"] == [["service"]]
