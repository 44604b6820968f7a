"""GET /openapi.json: a document that is what the routes say, so that programs can be written from it."""

from __future__ import annotations

import json
import re

import pytest

from functions.organise import app as organise
from functions.register import app as register
from infra.files.openapi import PAGE, bodies, document, routes_of, text
from tests.support.attendee_client import Web

METHODS = {"get", "post", "put", "patch", "delete"}


def test_the_document_is_what_the_routes_and_models_say() -> None:
    """`python -m infra.files.openapi` writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == text()


def test_every_route_is_named_and_no_other() -> None:
    named = {(method.upper(), path) for path, one in document()["paths"].items() for method in one if method in METHODS}
    routes = [route for function in (register, organise) for route in routes_of(function)]

    assert named == {(method, re.sub(r"<(\w+)>", r"{\1}", path)) for method, path, _ in routes}
    assert bodies().keys() == {(method, path) for method, path, _ in routes if method != "GET"}


def test_each_operation_has_a_name_of_its_own_words_and_the_parameters_of_its_path() -> None:
    operations = [(path, one) for path, methods in document()["paths"].items() for one in methods.values()]
    names = [one["operationId"] for _, one in operations]

    assert len(set(names)) == len(names)
    for path, one in operations:
        assert one["summary"].endswith((".", "?")), path
        assert [each["name"] for each in one["parameters"]] == re.findall(r"{(\w+)}", path)


def test_every_reference_leads_somewhere() -> None:
    found = document()
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(found))):
        part = found
        for step in reference.split("/"):
            part = part[step]


@pytest.mark.parametrize("accept", ["application/json", "text/html", "*/*"])
def test_it_is_served_to_programs_and_browsers_alike(accept: str) -> None:
    answer = Web(register.handler).send("GET", "/openapi.json", headers={"accept": accept})

    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json["openapi"] == "3.1.0"
