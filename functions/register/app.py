"""Attendees' pages and API: the public routes (`public`) and those behind a registration's own link (`own`)."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.register import group, leaders, own, public, views, web
from functions.register.web import count
from shared.http import make_app, resolve
from shared.observability import fault, logger, metrics

REFUSALS = (409, 422, 429)
"""Statuses of a request that was read and understood, and refused."""

app = make_app(views.render_error)
app.include_router(public.router)
app.include_router(own.router)
app.include_router(leaders.router)
app.include_router(group.router)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@metrics.log_metrics
def handler(payload: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request.

    A fault of our own is logged without its words, which may quote what a person typed, and raised: it alarms.
    """
    web.table.begin(context.get_remaining_time_in_millis() / 1000)
    try:
        answered = resolve(app, payload, context)
    except Exception as error:
        logger.error("request failed", extra=fault(error))
        raise
    if answered["statusCode"] in REFUSALS:
        count("RequestsRefused")
    return answered
