"""What every function logs and counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys


def test_metrics_stand_in_the_namespace_that_the_template_names() -> None:
    """Two stacks of one account must not add up, or one hides that the other is dead."""
    code = "from shared.observability import count, metrics; count('MailsSent'); metrics.flush_metrics()"
    environment = {**os.environ, "POWERTOOLS_METRICS_NAMESPACE": "Parcours/second", "POWERTOOLS_SERVICE_NAME": "mail"}

    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    (embedded,) = json.loads(said.stdout)["_aws"]["CloudWatchMetrics"]
    assert embedded["Namespace"] == "Parcours/second"
    assert embedded["Dimensions"] == [["service"]]
