"""The logger and the metrics that every function shares. No personal data and no token goes through either."""

from __future__ import annotations

import traceback
import warnings

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

logger = Logger()
metrics = Metrics()  # the template names the namespace, which ends in the name of the stack
warnings.filterwarnings("ignore", "No application metrics")  # most requests have no business event to count


def follow(request: str) -> None:
    """Say which request everything from here on is done for: log lines have it, and mail rows that are written."""
    logger.set_correlation_id(request or None)


def followed() -> str:
    """The request that this is done for, by API Gateway's id or Lambda's; "" for none."""
    return logger.get_correlation_id() or ""


def count(metric: str, number: int = 1) -> None:
    """Add to a metric that counts events."""
    metrics.add_metric(metric, MetricUnit.Count, number)


def count_under(service: str, metric: str) -> None:
    """Add one to a metric of another function: an alarm reads the series of one function."""
    with single_metric(name=metric, unit=MetricUnit.Count, value=1, default_dimensions={"service": service}):
        pass


def send_metrics() -> None:
    """Write the metrics collected during this request to the log, if there are any.

    Powertools' `log_metrics` warns when there are none, which is usual for a function that answers pages.
    """
    if metrics.metric_set:
        metrics.flush_metrics()


def fault(error: BaseException) -> dict[str, str]:
    """What a log may hold of a fault: its class and its place, not its message, which may quote what a person typed."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return {"why": type(error).__name__, "where": f"{where.filename}:{where.lineno}"}
