"""shared/pages/openapi.json: every route of the attendees' and the organisers' function, for programs.

`python -m infra.files.openapi` writes the document from the routes, the first lines of their docstrings and the models
that read their bodies; a test fails while it is not what the routes say. It is made here and not by the functions: with
the OpenAPI support of Powertools every cold start would pay for it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from shared.i18n import LANGUAGES

PAGE = Path(__file__).resolve().parents[2] / "shared" / "pages" / "openapi.json"

PLACEHOLDERS = (
    *("TABLE_NAME", "SECRET_ARN", "ALLOCATE_FUNCTION", "CONFIGURATION_SET", "MAIL_QUEUE_URL"),
    *("POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_SERVICE_NAME"),
)
"""Settings that the functions read when they are imported; nothing here uses them."""

WITHOUT_SESSION = "/organise/sign-in"

MEDIA_TYPES = {".ics": "text/calendar", ".csv": "text/csv", ".yaml": "application/yaml", ".json": "application/json"}
"""What a path that ends so answers with; every other one answers with JSON or a page."""

TEXT, NUMBER = {"type": "string"}, {"type": "integer", "minimum": 0}
SURE = {"oneOf": [{"const": "yes"}, {"const": True}]}

IN_WORDS = """Registration for a meeting day and the allocation of everybody to workshops.

Every route answers a browser with a page and a program with JSON: send `Accept: application/json`, or a JSON body.
Forms and JSON bodies have the same fields. Errors are JSON with a stable code, a sentence that says what to do, and a
message for each field that was refused. Past a cap the status is 429 and `Retry-After` says when to come back. HEAD is
GET without a body."""


def document() -> dict[str, Any]:
    """The OpenAPI document. Raises KeyError for a changing route of which `bodies` does not know what it reads."""
    from functions.organise import app as organise
    from functions.register import app as register

    wanted = bodies()
    models = sorted({body for body in wanted.values() if isinstance(body, type)}, key=lambda model: model.__name__)
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for function, module in (("register", register), ("organise", organise)):
        for method, path, call in routes_of(module):
            operation = _operation(function, method, path, call, wanted)
            paths.setdefault(re.sub(r"<(\w+)>", r"{\1}", path), {})[method.lower()] = operation
    error = {
        "type": "object",
        "required": ["error", "message", "fields"],
        "properties": {
            "error": {"type": "string", "description": "A stable code, such as not-found."},
            "message": {"type": "string", "description": "What went wrong and what to do."},
            "fields": {"type": "object", "additionalProperties": TEXT, "description": "What is wrong, by field."},
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Parcours", "version": "1", "description": IN_WORDS},
        "paths": dict(sorted(paths.items())),
        "components": {
            "responses": _shared_responses(),
            "schemas": {"Error": error, **schemas.get("$defs", {})},
            "securitySchemes": {
                "session": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token that POST /organise/sign-in/{token} answers a program with.",
                }
            },
        },
    }


def routes_of(function: Any) -> list[tuple[str, str, Any]]:
    """Every route of a function: its method, its path with parameters in angle brackets, and what answers it."""
    resolver = function.app
    found = {(route.method, route.path): route.func for route in [*resolver._static_routes, *resolver._dynamic_routes]}
    return [(method, path, found[method, path]) for method, path in sorted(found)]


def bodies() -> dict[tuple[str, str], type[BaseModel] | Mapping[str, Any] | None]:
    """What each changing route reads: a model, or fields by name with their schemas; None for a press of a button."""
    from functions.organise.drafts import NewDraft, Publication, RunPublication
    from functions.organise.group_contacts import GroupWithdrawal
    from functions.organise.person_fields import Correction, NewPerson
    from functions.register.forms import Details

    event, own = "/organise/<event_id>", "/r/<token>"
    person, run = f"{event}/people/<person_id>", f"{event}/allocations/<number>"
    expected = {"expected": NUMBER}
    file = {"text": TEXT, "file": TEXT, "seen": TEXT}
    listed: dict[str, type[BaseModel] | Mapping[str, Any] | None] = {
        "PUT " + own: Details,
        "PATCH " + person: Correction,
        "/events/<event_id>/registrations": Details,
        "/events/<event_id>/links": {"email": TEXT},
        "/events/<event_id>/group": {
            **dict.fromkeys(("name", "email", "organisation"), TEXT),
            "choices": {"type": "array", "items": TEXT},
            "members": {"type": "array", "items": {"type": "object"}},
        },
        f"{own}/members/<member_id>": {"name": TEXT, "act": TEXT, "sure": SURE},
        "/address/<token>": None,
        own: Details,
        f"{own}/confirmation": None,
        f"{own}/rounds": {"absent": TEXT, "present": TEXT},
        f"{own}/place": None,
        f"{own}/withdrawal": {"confirmed": SURE},
        f"{own}/erasure": {"confirmed": SURE},
        "/leaders/<token>": {"round": TEXT, "key": TEXT, "subject": TEXT, "body": TEXT, "expected": NUMBER},
        "/organise/new": file,
        "/organise/sign-in": {"email": TEXT},
        "/organise/sign-in/<token>": None,
        "/organise/sign-out": None,
        f"{event}/file": file,
        f"{event}/setup/<page>": {},
        f"{event}/opening": None,
        f"{event}/retirement": None,
        f"{event}/cancellation": Publication,
        f"{event}/cancellation/undo": Publication,
        f"{event}/allocations": NewDraft,
        f"{event}/commitment": {"seed": TEXT},
        f"{run}/publication": RunPublication,
        f"{run}/deletion": {"sure": SURE},
        f"{run}/restoration": None,
        f"{event}/mails/again": expected,
        f"{event}/mails/hold": None,
        f"{event}/mails/release": None,
        f"{event}/messages": {
            **dict.fromkeys(("group", "subject", "body", "key"), TEXT),
            **{f"{box}_{language}": TEXT for language in LANGUAGES for box in ("subject", "body")},
            "expected_mails": NUMBER,
        },
        f"{event}/no-shows": {**expected, "round": TEXT, "seats": TEXT},
        f"{event}/walk-ins": NewPerson,
        f"{event}/people": NewPerson,
        f"{event}/people/import": {
            **{"csv": TEXT, "file": TEXT, "expected": TEXT, "columns": {"type": "object"}},
            "leave_out_faulty": {"type": "boolean"},
        },
        f"{event}/people/release": expected,
        person: Correction,
        f"{person}/check-in": {"undo": {"type": "boolean"}},
        f"{person}/erasure": {"sure": SURE},
        f"{person}/mails": None,
        f"{person}/withdrawal": GroupWithdrawal,
        f"{event}/workshops/<theme_id>/<round_id>/attendance": {"present": TEXT, "absent": TEXT},
        f"{event}/workshops/<theme_id>/<round_id>/calling-off": expected,
    }
    split = {key: key.split() if " " in key else ["POST", key] for key in listed}
    return {(split[key][0], split[key][1]): body for key, body in listed.items()}


def _operation(
    function: str, method: str, path: str, call: Any, wanted: Mapping[tuple[str, str], Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{function}.{call.__name__}",
        "tags": [call.__module__.rpartition(".")[2]],
        "summary": (call.__doc__ or "").strip().split("\n")[0],
        "parameters": [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in _names(path)],
        "responses": _responses(method, path),
    }
    if method != "GET":
        if (method, path) not in wanted:
            raise KeyError(f"{method} {path}: say in infra.files.openapi.bodies what it reads, then run the module")
        body = _body(wanted[method, path])
        operation |= {"requestBody": body} if body else {}
    if path.startswith("/organise") and not path.startswith(WITHOUT_SESSION):
        operation["security"] = [{"session": []}]
    return operation


def _names(path: str) -> Iterator[str]:
    return iter(re.findall(r"<(\w+)>", path))


def _body(wanted: type[BaseModel] | Mapping[str, Any] | None) -> dict[str, Any]:
    if wanted is None:
        return {}
    schema: dict[str, Any] = {"type": "object", "properties": wanted} if isinstance(wanted, Mapping) else {}
    if isinstance(wanted, type):
        schema = {"$ref": f"#/components/schemas/{wanted.__name__}"}
    return {"content": {"application/json": {"schema": schema}}}


def _responses(method: str, path: str) -> dict[str, Any]:
    named = MEDIA_TYPES.get(Path(path).suffix)
    kept = ["4XX", "503"] if method == "GET" else ["303", "4XX", "503"]
    shared = {status: {"$ref": f"#/components/responses/{RESPONSES[status]}"} for status in ["2XX", *kept]}
    return {**shared, "2XX": {"description": "The file.", "content": {named: {}}}} if named else shared


RESPONSES = {"2XX": "Done", "303": "GoOn", "4XX": "Refused", "503": "Busy"}


def _shared_responses() -> dict[str, Any]:
    refused = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}, "text/html": {}}
    described = {
        "Done": "As asked.",
        "GoOn": "Done; a browser goes on to the page that says so.",
        "Refused": "Refused; the message says what to do.",
        "Busy": "Busy, or the event cannot be read; come back later.",
    }
    content = {"Done": {"application/json": {}, "text/html": {}}, "Refused": refused, "Busy": refused}
    return {
        name: {"description": words, **({"content": content[name]} if name in content else {})}
        for name, words in described.items()
    }


def text() -> str:
    """The document as it stands in the file."""
    return json.dumps(document(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    for name in PLACEHOLDERS:
        os.environ.setdefault(name, "none")
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")
    os.environ.setdefault("PUBLIC_URL", "https://parcours.example.org")
    PAGE.write_text(text(), encoding="utf-8")
    print(f"{PAGE.name}: {len(document()['paths'])} paths")
