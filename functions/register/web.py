"""What every route of this function uses: the table, the keys, the clock, the request, and how it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.shared.cookies import Cookie
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from botocore.config import Config

from functions.register import views
from shared import settings
from shared.errors import NotFoundError, TooManyRequestsError
from shared.events import read_event
from shared.http import answer, as_json, language_cookies, see_other, source_address, wants_json
from shared.i18n import N_
from shared.limits import COSTLY_READS_A_MINUTE, HOUR, MINUTE, mailbox_of, network_of, seconds_left, within_cap
from shared.models import Event
from shared.observability import metrics
from shared.table import Table
from shared.tokens import Keys

NO_EVENT = N_("There is no such event. It may be over.")
TOO_MANY = N_(
    "Many people in your network have sent this form in the last hour, more than this event accepts from one place. "
    "What you typed is still here: send it again after the full hour, or from another network, such as your phone’s. "
    "Are you registering together, as a school or an office? Write to the organisers, who can raise the limit."
)

TOO_MANY_IN_GROUPS = N_(
    "With your group, more people would be registered from your network or under your address than this event accepts "
    "from one place in an hour. Nobody was registered, and what you typed is still here: send it again after the full "
    "hour, or register fewer people now. Write to the organisers, who can raise the limit."
)

TOO_OFTEN = N_("Your network asks for this page very often at this moment. Please try again in a minute.")

_config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard"})
table = Table(boto3.client("dynamodb", config=_config), settings.table_name())
keys = Keys(boto3.client("secretsmanager", config=_config), settings.required("SECRET_ARN"))
cap_an_hour = int(settings.optional("REGISTRATIONS_PER_SOURCE_HOUR", "300"))

Answer = Response[Any]

_any_router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]


def clock() -> datetime:
    """The current time; tests replace this function."""
    return datetime.now(UTC)


def request() -> APIGatewayProxyEventV2:
    """The request that is being answered."""
    return _any_router.current_event


def language_of(event: Event | None = None, *known: str) -> str:
    """The language to answer in; `known` are languages to prefer over those that the browser asks for."""
    return views.language_of(request(), event, *known)


def show(template: str, language: str, *, status: int = 200, **facts: Any) -> Answer:
    """Answer with a page, and remember the language if the visitor has just switched to it."""
    body = views.render(request(), template, language, **facts)
    kept = language_cookies(request(), language)
    return answer(status, body, "text/html; charset=utf-8", private=True, cookies=kept)


def reply(data: Mapping[str, Any], template: str, language: str, *, status: int = 200, **facts: Any) -> Answer:
    """Answer a program with `data` as JSON, and a browser with the page that `template` makes of `facts`."""
    if wants_json(request()):
        return as_json(status, data)
    return show(template, language, status=status, **facts)


def done(data: Mapping[str, Any], location: str, *, status: int = 200, cookies: list[Cookie] | None = None) -> Answer:
    """Answer a change that was made: a program with `data` as JSON, a browser by sending it on to `location`."""
    if wants_json(request()):
        return as_json(status, data)
    return see_other(location, cookies=cookies)


def count(event: str) -> None:
    """Count one business event as a metric."""
    metrics.add_metric(event, MetricUnit.Count, 1)


def find_event(event_id: str) -> Event:
    """The event of this id. Raises NotFoundError, also for a draft, which only its organisers see."""
    event = read_event(table, event_id) if len(event_id) <= 60 else None
    if event is None or event.draft:
        raise NotFoundError(NO_EVENT)
    return event


def spend_one_request(event: Event, now: datetime) -> None:
    """Count a request that may cause a mail against its source. Raises TooManyRequestsError past the event's cap."""
    who = f"{event.id} {network_of(source_address(request()))}"
    if not within_cap(table, keys, "register", who, requests_an_hour(event), now=now):
        count("RequestsCapped")
        raise TooManyRequestsError(TOO_MANY, retry_after=seconds_left(now, HOUR))


def spend_a_group(event: Event, address: str, people: int, now: datetime) -> None:
    """Count a group, person by person, against its source and against the mailbox of the person who registers it.

    Raises TooManyRequestsError past the event's cap. Of a mailbox the refusal tells no more than that hundreds of
    people were registered under it within the hour.
    """
    source = f"{event.id} {network_of(source_address(request()))}"
    for what, who in (("register", source), ("group", f"{event.id} {mailbox_of(address)}")):
        if not within_cap(table, keys, what, who, requests_an_hour(event), now=now, number=people):
            count("RequestsCapped")
            raise TooManyRequestsError(TOO_MANY_IN_GROUPS, retry_after=seconds_left(now, HOUR))


def requests_an_hour(event: Event) -> int:
    """How many people one source may register, or links it may ask for, within an hour."""
    return event.registration.per_source_hour or cap_an_hour


def spend_one_read(now: datetime) -> None:
    """Count a request that reads many rows against its source. Raises TooManyRequestsError past the cap."""
    who = network_of(source_address(request()))
    if not within_cap(table, keys, "read", who, COSTLY_READS_A_MINUTE, now=now, span=MINUTE):
        count("RequestsCapped")
        raise TooManyRequestsError(TOO_OFTEN, retry_after=seconds_left(now, MINUTE))
