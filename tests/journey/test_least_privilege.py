"""P13: a function may do what it needs and nothing else; each permission taken away breaks what it is there for.

On the deployed stack, with its roles enforced: one action of one statement is taken out of a role's policy, then that
role's function does its work. It takes minutes, so it is part of the sweep: `python -m pytest -m sweep -k privilege`.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.cloud.embedded import client
from infra.cloud.lint import plain
from infra.demo.attendees import make_attendees
from infra.demo.http_client import Answer
from infra.demo.local_stack import LocalDeployment, closing, soon
from infra.demo.organiser import sign_in
from shared.mails import claim, read_mail
from shared.models import Event, Registration
from shared.registrations import find_by_address, register, withdraw
from shared.state import read_state
from shared.table import event_pk
from shared.tasks import UPKEEP_DUE, task
from shared.tokens import Keys, sign_link
from tests.support.factories import make_event, make_registration
from tests.support.fake_ses import Sent, naming, queue_event, ses_event, stream_event

NOT_JUDGED = {
    "logs:CreateLogStream": "the embedded cloud writes its functions' logs itself",
    "logs:PutLogEvents": "as above",
    "dynamodb:DescribeStream": "it polls streams and queues itself, in nobody's name; on AWS Lambda polls as the role",
    "dynamodb:GetRecords": "as above",
    "dynamodb:GetShardIterator": "as above",
    "dynamodb:ListStreams": "as above",
    "sqs:ReceiveMessage": "as above",
    "sqs:DeleteMessage": "as above",
    "sqs:GetQueueAttributes": "as above",
    "ReportFailure sqs:SendMessage": "it delivers to destinations itself; on AWS Lambda does so as the role",
    "ses:SendRawEmail": "it judges SendEmail alone, where AWS judges raw content as SendRawEmail too",
}
"""What the embedded cloud does not judge, with the reason; the list is exact, so that it shrinks when it can."""

pytestmark = [pytest.mark.promise("P13"), pytest.mark.sweep]

RULES = {"opens": "2026-03-01 09:00", "closes": "2026-04-01 12:00", "capacity": 8}

Taken = tuple[str, str, str]
"""Role, statement, action (empty: all of them)."""


def statements() -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, statement)
        for name, role in plain()["Resources"].items()
        if role["Type"] == "AWS::IAM::Role"
        for policy in role["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def actions(statement: dict[str, Any]) -> list[str]:
    return statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]


def is_judged(role: str, sid: str, action: str) -> bool:
    """Whether the embedded cloud refuses what needs this action of a statement, once it is taken out.

    It knows no `dynamodb:LeadingKeys`, so that another statement about the same resource allows the action for these
    rows too; tests/integration/test_permissions.py shows that it is needed.
    """
    own = [one for name, one in statements() if name == role]
    (resource,) = (one["Resource"] for one in own if one["Sid"] == sid)
    others = [one for one in own if one["Sid"] != sid and one["Resource"] == resource]
    return not {action, f"{sid} {action}"} & NOT_JUDGED.keys() and not any(action in actions(one) for one in others)


WHOLE = [(role, s["Sid"], "") for role, s in statements() if any(is_judged(role, s["Sid"], a) for a in actions(s))]
SINGLE = [(role, one["Sid"], action) for role, one in statements() for action in actions(one)]


class Bench:
    """The deployed stack, and an organiser of all events on it who has signed in."""

    def __init__(self, deployment: LocalDeployment) -> None:
        self.deployment, self.number = deployment, 0
        url = deployment.cloud.endpoint_url
        self.iam, self.functions, self.logs = (client(name, url) for name in ("iam", "lambda", "logs"))
        self.keys = Keys(client("secretsmanager", url), deployment.stack.outputs["SigningKeyArn"])
        cloudformation = client("cloudformation", url)
        found = cloudformation.describe_stack_resources(StackName=deployment.stack.name)["StackResources"]
        self.roles = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}
        self.session = sign_in(deployment, self.new_event().organiser_emails[0])

    def new_event(self, **changes: Any) -> Event:
        self.number += 1
        event = soon(make_event(id=f"privilege-{self.number}", registration=RULES, **changes), datetime.now(UTC))
        self.deployment.put(event)
        return event

    def enter(self, event: Event, **changes: Any) -> Registration:
        """A person is registered, as by another function."""
        self.number += 1
        draft = make_registration(event=event.id, number=self.number, **changes)
        return register(self.deployment.table, event, draft, now=datetime.now(UTC))[0]

    def invoke(self, name: str, payload: Any) -> Any:
        """Call a function; None when it failed."""
        function = self.deployment.stack.outputs[name]
        answer = self.functions.invoke(FunctionName=function, Payload=json.dumps(payload).encode())
        told = json.loads(answer["Payload"].read())
        return None if "FunctionError" in answer else told or {}

    def has_logged(self, function: str, words: str, since: float) -> bool:
        """Whether a function's log has such a line from after this moment."""
        group = f"/aws/lambda/{self.deployment.stack.outputs[function]}"
        found = self.logs.filter_log_events(logGroupName=group, startTime=int(since * 1000))["events"]
        return any(words in one["message"] for one in found)

    def start_anew(self, function: str) -> None:
        """Let the next call find a new process, that remembers no key and no rate."""
        name = self.deployment.stack.outputs[function]
        size = self.functions.get_function_configuration(FunctionName=name)["MemorySize"]
        self.functions.update_function_configuration(FunctionName=name, MemorySize=size)

    def without(self, taken: Taken) -> Callable[[], None]:
        """Take a permission away; what is returned gives it back."""
        role, sid, action = taken
        name = self.roles[role]
        whole = self.iam.get_role_policy(RoleName=name, PolicyName="own")["PolicyDocument"]
        less = copy.deepcopy(whole)
        for statement in list(less["Statement"]):
            if statement["Sid"] == sid:
                left = [one for one in actions(statement) if action not in {"", one}]
                statement["Action"] = left
                if not left:
                    less["Statement"].remove(statement)
        self._put(name, less)
        return lambda: self._put(name, whole)

    def _put(self, role: str, document: dict[str, Any]) -> None:
        self.iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=json.dumps(document))

    # ------------------------------------------------------------------ does each function do its work?

    def good(self, *answers: Answer) -> bool:
        return all(answer.status < 400 for answer in answers)

    def register(self) -> bool:
        """The front page, a registration, changing it, leaving, erasing."""
        site, table = self.deployment.http, self.deployment.table
        event = self.new_event()
        one, other = make_attendees(event, 2, event.id)
        page = f"/events/{event.id}"
        forms = [site.post(f"{page}/registrations", person.form()) for person in (one, other)]
        if not self.good(site.get("/"), site.get(page), *forms):
            return False
        links = []
        for person in (one, other):
            stored = find_by_address(table, event.id, person.email)
            if stored is None:
                return False
            links.append(f"/r/{sign_link(self.keys, event.id, stored.id, stored.link_version)}")
        return self.good(
            site.get(links[0]),
            site.call("PUT", links[1], {**other.form(), "organisation": "Another"}),
            site.post(f"{links[0]}/withdrawal"),
            site.post(f"{links[1]}/erasure"),
        )

    def organise(self) -> bool:
        """The dashboard, adding and withdrawing a person, an allocation that starts at once."""
        event = self.new_event()
        site, base = self.deployment.http, f"/organise/{event.id}"
        self.enter(event)
        person = make_attendees(event, 1, event.id)[0]
        begun = time.time()
        added = site.post(f"{base}/people", person.form(), headers=self.session)
        if not self.good(site.get(base, headers=self.session), added):
            return False
        left = site.post(f"{base}/people/{added.json['id']}/withdrawal", headers=self.session)
        asked = site.post(f"{base}/allocations", {"mode": "fresh", "seed": person.email}, headers=self.session)
        forged = site.get("/organise/sign-in/forged")
        woken = not self.has_logged("OrganiseFunction", "not woken", begun)
        return self.good(left, asked) and forged.status < 500 and woken

    def allocate(self) -> bool:
        """An event whose deadline is now: allocated, published, everybody told."""
        event = self.new_event()
        for _ in range(3):
            self.enter(event)
        self.deployment.put(closing(event, datetime.now(UTC)))
        calls = [self.invoke("AllocateFunction", {"trigger": "schedule"}) for _ in range(2)]
        return None not in calls and self.comes_true(lambda: self.is_published(event))

    def is_published(self, event: Event) -> bool:
        """The schedule itself may be at it; then our calls leave it the work."""
        state = read_state(self.deployment.table, event.id)
        rows = self.deployment.table.query(event_pk(event.id), "TASK#")
        tasks = {row["task"] for row in rows if row["due"] == "allocate"} - {"late"}  # looks for people who come later
        return state.published_run > 0 and not tasks

    def relay(self) -> bool:
        """One record of the stream."""
        row = {"pk": "MAIL#x", "sk": "confirmation#x", "type": "mail", "state": "pending", "due_at": ""}
        told = self.invoke("RelayFunction", stream_event({**row, "event": "x", "id": "confirmation#x"}))
        return bool(told == {"batchItemFailures": []})

    def mail(self) -> bool:
        """One message, by a process that has to read the key and the rate."""
        event, begun = self.new_event(), time.time()
        name = f"confirmation#{self.enter(event).id}"
        told = self.invoke("MailFunction", queue_event(*naming(event.id, name)))
        sent = told == {"batchItemFailures": []} and self.comes_true(lambda: self.state(event, name) == "sent")
        return sent and not self.has_logged("MailFunction", "rate not read", begun)

    def state(self, event: Event, name: str) -> str:
        mail = read_mail(self.deployment.table, event.id, name)
        return mail.state if mail else ""

    def comes_true(self, done: Callable[[], bool]) -> bool:
        """Whether something is so within ninety seconds; another copy of the function may be at it."""
        ends = time.monotonic() + 90
        while not done():
            if time.monotonic() > ends:
                return False
            time.sleep(0.2)
        return True

    def feedback(self) -> bool:
        """A bounce of a mail whose answer was lost, to an address that nobody confirmed: its place is free."""
        event = self.new_event()
        person = self.enter(event, confirmed_at=None)
        tags = {"event": event.id, "mail": f"confirmation_{person.id}"}
        request = {
            "Destination": {"ToAddresses": [person.email]},
            "EmailTags": [{"Name": key, "Value": value} for key, value in tags.items()],
        }
        told = self.invoke("FeedbackFunction", ses_event("Bounce", Sent(request, "m"), bounceType="Permanent"))
        return told is not None

    def upkeep(self) -> bool:
        """A reminder, a stuck mail, a place to offer, and an event whose retention has ended."""
        now, table = datetime.now(UTC), self.deployment.table
        event, over = self.new_event(reminder_days=[1]), self.new_event()
        person, leaving = self.enter(event), self.enter(event)
        withdraw(table, leaving, now=now)
        self.enter(over)
        mail = read_mail(table, event.id, f"confirmation#{person.id}")
        if mail is not None:
            claim(table, mail, now=now - timedelta(hours=1))
        past = now - timedelta(minutes=1)
        table.write(
            task(event.id, "reminder#1", UPKEEP_DUE, past, days=1), task(over.id, "retention", UPKEEP_DUE, past)
        )
        told = self.invoke("UpkeepFunction", {"trigger": "schedule"})
        return told is not None

    def clean(self) -> None:
        """Take off the list what was left undone, so that the next function starts from nothing."""
        for name in ("AllocateFunction", "UpkeepFunction"):
            for _ in range(3):
                if self.invoke(name, {"trigger": "schedule"}) is not None:
                    break


@pytest.fixture(scope="module")
def bench(deployment: LocalDeployment) -> Bench:
    """The stack, with everything it may do."""
    return Bench(deployment)


def works(bench: Bench, role: str) -> bool:
    function = role.removesuffix("Role")
    bench.start_anew(f"{function}Function")
    return bool(getattr(bench, function.lower())())


def works_in_the_end(bench: Bench, role: str) -> bool:
    """Up to three tries: the stack's own schedule may be at the same event in the same second, and one gives way."""
    return any(works(bench, role) for _ in range(3))


@pytest.mark.parametrize("role", sorted({role for role, _ in statements()}))
def test_with_all_it_may_do_a_function_does_its_work(bench: Bench, role: str) -> None:
    """Else the tests below would prove nothing."""
    assert works_in_the_end(bench, role)


@pytest.mark.parametrize("taken", WHOLE, ids="-".join)
def test_without_one_of_its_statements_it_does_not(bench: Bench, taken: Taken) -> None:
    """No statement could be left out."""
    give_back = bench.without(taken)
    try:
        assert not works(bench, taken[0])
    finally:
        give_back()
        bench.clean()
    assert works_in_the_end(bench, taken[0])  # so it was the permission, and nothing else


@pytest.mark.parametrize("taken", SINGLE, ids="-".join)
def test_without_one_of_its_actions_it_does_not(bench: Bench, taken: Taken) -> None:
    """No action could be left out, but those that the embedded cloud does not judge."""
    give_back = bench.without(taken)
    try:
        if is_judged(*taken):
            assert not works(bench, taken[0])
        else:
            assert works_in_the_end(bench, taken[0])
    finally:
        give_back()
        bench.clean()
    assert works_in_the_end(bench, taken[0])
