"""Organisers' pages and API: the AWS clients, the routes, and the handler that puts them together.

A route in `routes/` reads the request, asks who sent it, makes one call and answers as a page or as JSON; what the
call does stands in the module named after its subject. A GET changes nothing; a POST from another site is refused.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from functions.organise.allocator import Allocator
from functions.organise.routes import allocations, day, events, exports, mails, people, setup, sign_in
from functions.organise.web import Services, app
from shared import settings
from shared.http import resolve
from shared.observability import count, fault, logger, send_metrics
from shared.table import Table
from shared.tokens import Keys

_config = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard"})
table = Table(boto3.client("dynamodb", config=_config), settings.table_name())
keys = Keys(boto3.client("secretsmanager", config=_config), settings.required("SECRET_ARN"))
allocator = boto3.client("lambda", config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}))

REFUSALS = (409, 422, 429)
"""Statuses of a request that was read and understood, and refused."""

# The first route that matches answers: `sign-in` before an event's id, and last the file whose name is a parameter.
for routes in (sign_in, events, setup, people, allocations, mails, day, exports):
    app.include_router(routes.router)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def handler(payload: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request.

    A fault of our own is logged without its message, which may quote what a person typed, and raised: an alarm rings.
    """
    to_wake = Allocator(allocator, settings.required("ALLOCATE_FUNCTION"))
    table.begin(context.get_remaining_time_in_millis() / 1000)
    app.append_context(services=Services(table, keys, to_wake, clock()))  # type: ignore[no-untyped-call]
    try:
        answered = resolve(app, payload, context)
        if answered["statusCode"] in REFUSALS:
            count("RequestsRefused")
        return answered
    except Exception as error:
        logger.error("request failed", extra=fault(error))
        raise
    finally:
        send_metrics()


def clock() -> datetime:
    """The time now; tests set it."""
    return datetime.now(UTC)
