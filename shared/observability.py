"""The logger and the metrics every function shares. No personal data and no token goes through either."""

from __future__ import annotations

import traceback
import warnings

from aws_lambda_powertools import Logger, Metrics

logger = Logger()
metrics = Metrics(namespace="Parcours")
warnings.filterwarnings("ignore", "No application metrics")  # most requests have no business event to count


def fault(error: BaseException) -> dict[str, str]:
    """What a log may hold of a fault: its kind and its place, not its words, which may quote what somebody typed."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return {"why": type(error).__name__, "where": f"{where.filename}:{where.lineno}"}
