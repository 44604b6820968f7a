"""Reading a request and answering it: what every route relies on."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    ParcoursError,
    TooLargeError,
    UnreadableError,
    UnsupportedMediaTypeError,
)
from shared.http import (
    GUARDS,
    LARGEST_BODY,
    answer,
    compress,
    make_app,
    page,
    read_fields,
    refuse_other_sites,
    shown_again,
    source_address,
    wants_json,
)


def request(
    body: str | bytes = "", *, method: str = "POST", path: str = "/", source: str = "192.0.2.7", **headers: str
) -> APIGatewayProxyEventV2:
    """A request as API Gateway hands it over."""
    encoded = isinstance(body, bytes)
    return APIGatewayProxyEventV2(
        {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {name.replace("_", "-"): value for name, value in headers.items()},
            "requestContext": {
                "http": {"method": method, "path": path, "sourceIp": source},
                "stage": "$default",
                "requestId": "r",
            },
            "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
            "isBase64Encoded": encoded,
        }
    )


def form(body: str | bytes) -> APIGatewayProxyEventV2:
    return request(body, content_type="application/x-www-form-urlencoded; charset=utf-8")


def json_request(body: str | bytes) -> APIGatewayProxyEventV2:
    return request(body, content_type="application/json")


def test_a_form_and_json_say_the_same() -> None:
    typed = form("name=Zo%C3%AB&choices=a&choices=b&empty=")
    sent = json_request('{"name": "Zoë", "choices": ["a", "b"], "empty": ""}')

    assert read_fields(typed) == read_fields(sent) == {"name": "Zoë", "choices": ["a", "b"], "empty": ""}


def test_a_body_that_arrives_base64_encoded_is_read_too() -> None:
    assert read_fields(form(b"a=1")) == {"a": "1"}


@pytest.mark.parametrize(
    "body",
    ["{", "[]", "null", '"text"', '{"a": 1, "a": 2}', '{"a": NaN}', '{"a": Infinity}', "[" * 9000, b"\xff\xfe{}"],
    ids=["cut", "list", "null", "text", "duplicate-key", "nan", "infinity", "deep", "not-utf-8"],
)
def test_unreadable_json_is_refused_in_words(body: str | bytes) -> None:
    with pytest.raises(UnreadableError):
        read_fields(json_request(body))


@pytest.mark.parametrize("body", [b"\xff=1", "%ff=1", "&".join(["a=1"] * 501)])
def test_an_unreadable_form_is_refused_in_words(body: str | bytes) -> None:
    with pytest.raises(UnreadableError):
        read_fields(form(body))


def test_broken_base64_is_refused() -> None:
    event = form("")
    event.raw_event.update(body="%%%", isBase64Encoded=True)

    with pytest.raises(UnreadableError):
        read_fields(event)


def test_too_large_a_body_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(TooLargeError):
        read_fields(form("a=" + "x" * LARGEST_BODY))


@pytest.mark.parametrize("kind", ["text/xml", "multipart/form-data; boundary=x", ""])
def test_other_media_types_are_refused(kind: str) -> None:
    with pytest.raises(UnsupportedMediaTypeError):
        read_fields(request("a=1", content_type=kind))


@given(st.binary(max_size=300), st.sampled_from(["application/json", "application/x-www-form-urlencoded", "x/y", ""]))
def test_no_body_whatever_is_a_fault_of_ours(body: bytes, kind: str) -> None:
    """Everything is either fields or an error with a status of the client's."""
    statuses = [200]
    try:
        read_fields(request(body, content_type=kind))
    except ParcoursError as error:
        statuses.append(error.status)

    assert max(statuses) < 500


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"accept": "application/json"}, True),
        ({"accept": "text/html,application/json;q=0.9"}, False),
        ({"accept": "*/*"}, False),
        ({"content_type": "application/json"}, True),
        ({"content_type": "application/json; charset=utf-8", "accept": "text/html"}, True),
        ({"content_type": "application/json", "accept": "*/*"}, True),
        ({"content_type": "application/x-www-form-urlencoded", "accept": "text/html,application/json"}, False),
        ({"content_type": "application/x-www-form-urlencoded", "accept": "application/json"}, True),
        ({"content_type": "multipart/form-data; boundary=x"}, False),
        ({}, False),
    ],
)
def test_programs_get_json_and_people_get_pages(headers: dict[str, str], expected: bool) -> None:
    assert wants_json(request(**headers)) is expected


PUBLIC = "https://parcours.example.org"
"""The public address that tests/conftest.py sets."""


def test_a_post_from_another_site_is_refused_and_the_own_is_not() -> None:
    refuse_other_sites(request(host="parcours.example.org", origin=PUBLIC))
    refuse_other_sites(request(host="parcours.example.org", origin=PUBLIC, sec_fetch_site="same-origin"))
    refuse_other_sites(request(host="parcours.example.org"))

    for origin in (
        "https://evil.example",
        "null",
        f"{PUBLIC}.evil.example",
        f"{PUBLIC}@evil.example",
        f"{PUBLIC}/",
        f"{PUBLIC}, https://evil.example",
        "http://parcours.example.org",
        "https://sub.parcours.example.org",
        "https://parcours.example.org:8443",
    ):
        with pytest.raises(ForbiddenError):
            refuse_other_sites(request(host="parcours.example.org", origin=origin))


@pytest.mark.parametrize("origin", ["http://[", "https://a]", "http://℀", "://", "https://parcours.example.org:port"])
def test_an_origin_that_is_no_address_is_refused_and_is_no_fault_of_ours(origin: str) -> None:
    with pytest.raises(ForbiddenError):
        refuse_other_sites(request(host="parcours.example.org", origin=origin))


@given(st.text(max_size=60).filter(lambda text: text and text.lower() != PUBLIC))
def test_no_origin_but_our_own_is_accepted(origin: str) -> None:
    with pytest.raises(ForbiddenError):
        refuse_other_sites(request(origin=origin))


def test_the_host_that_a_caller_names_does_not_make_its_site_ours() -> None:
    with pytest.raises(ForbiddenError):
        refuse_other_sites(request(host="evil.example", origin="https://evil.example"))


def test_a_browser_that_hides_its_origin_as_we_ask_it_to_may_still_post() -> None:
    hidden = {"host": "parcours.example.org", "origin": "null"}

    refuse_other_sites(request(**hidden, sec_fetch_site="same-origin"))

    for site in ("cross-site", "same-site", "none"):
        with pytest.raises(ForbiddenError):
            refuse_other_sites(request(**hidden, sec_fetch_site=site))


@pytest.mark.parametrize("origin", [{}, {"origin": PUBLIC}, {"origin": "null"}], ids=["none", "ours", "hidden"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_browser_says_came_from_another_site_is_refused_whatever_its_origin(
    origin: dict[str, str], site: str
) -> None:
    with pytest.raises(ForbiddenError):
        refuse_other_sites(request(host="parcours.example.org", sec_fetch_site=site, **origin))


def test_half_a_surrogate_pair_is_unreadable_and_breaks_nothing() -> None:
    with pytest.raises(UnreadableError):
        read_fields(json_request('{"name": "\\ud800"}'))


def test_the_source_is_what_the_gateway_saw_and_not_what_a_header_claims() -> None:
    assert source_address(request(x_forwarded_for="198.51.100.1")) == "192.0.2.7"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "source"),
    [
        (1, "203.0.113.9, 192.0.2.7", "203.0.113.9"),  # CloudFront saw the visitor, API Gateway saw CloudFront
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.66, 203.0.113.9, 192.0.2.7", "203.0.113.9"),  # the first is what the visitor claims
        (2, "198.51.100.66, 203.0.113.9, 203.0.113.1, 192.0.2.7", "203.0.113.9"),
        (1, "", "192.0.2.7"),  # past the proxy
        (2, "203.0.113.9, 192.0.2.7", "192.0.2.7"),
    ],
)
def test_behind_proxies_of_our_own_the_source_is_what_the_outermost_of_them_saw(
    monkeypatch: pytest.MonkeyPatch, proxies: int, forwarded: str, source: str
) -> None:
    """Without it every visitor behind CloudFront counts as one, and the cap closes registration for all."""
    monkeypatch.setenv("TRUSTED_PROXIES", str(proxies))

    assert source_address(request(x_forwarded_for=forwarded)) == source


@pytest.mark.parametrize(
    ("size", "content_type", "accepts", "encoded"),
    [
        (5000, "text/html; charset=utf-8", "gzip, br", True),
        (5000, "application/json", "gzip", True),
        (5000, "text/html; charset=utf-8", "", False),
        (1000, "text/html; charset=utf-8", "gzip", False),
        (5000, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "gzip", False),
    ],
)
def test_an_answer_of_a_kilobyte_or_more_is_compressed_for_those_who_take_it(
    size: int, content_type: str, accepts: str, encoded: bool
) -> None:
    app = APIGatewayHttpResolver()
    app.use([compress])

    @app.get("/long")
    def read() -> Any:
        return answer(200, "ä" * (size // 2), content_type, private=True)

    sent = request(method="GET", path="/long", **({"accept_encoding": accepts} if accepts else {}))
    told = app.resolve(sent.raw_event, None)  # type: ignore[arg-type]

    headers = {name.lower(): value for name, value in told["headers"].items()}
    assert headers.get("content-encoding") == ("gzip" if encoded else None)
    body = gzip.decompress(base64.b64decode(told["body"])).decode() if encoded else told["body"]
    assert body == "ä" * (size // 2)
    assert ("vary" in headers) == (size >= 1024 and "sheet" not in content_type)
    assert headers["x-content-type-options"] == "nosniff"
    assert not encoded or len(told["body"]) < size // 10


def answers(method: str, path: str, **headers: str) -> dict[str, Any]:
    """What a small app with one route answers."""
    app = make_app(lambda _, error: f"<p>{error.message}</p>")

    @app.get("/here/<name>")
    def here(name: str) -> Any:
        return page(200, f"<p>{len(name)}</p>")

    return app.resolve(request(method=method, path=path, **headers).raw_event, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/here/a", 200), ("GET", "/x", 404), ("PUT", "/here/a", 405)]
)
def test_every_answer_carries_the_guards_errors_too(method: str, path: str, status: int) -> None:
    answer = answers(method, path)

    assert answer["statusCode"] == status
    assert GUARDS.items() <= dict(answer["headers"].items()).items()


def test_a_wrong_method_names_the_right_one() -> None:
    answer = answers("DELETE", "/here/a", accept="application/json")

    assert answer["headers"]["Allow"] == "GET"
    assert json.loads(answer["body"])["error"] == "method-not-allowed"


def refused_form(error: ParcoursError, *, page_error: ParcoursError | None = None, **headers: str) -> dict[str, Any]:
    """What a form answers that is refused with `error`; showing it again fails with `page_error` if there is one."""
    app = make_app(lambda _, error: f"<p>problem: {error.message}</p>")

    def form_again(error: ParcoursError) -> Any:
        if page_error:
            raise page_error
        return page(error.status, f"<form>typed, and {error.message}</form>")

    @app.post("/form")
    def send() -> Any:
        with shown_again(form_again):
            raise error

    sent = request("{}", path="/form", **headers)
    return app.resolve(sent.raw_event, None)  # type: ignore[arg-type]


def test_a_refused_form_comes_back_to_a_browser_and_a_program_gets_the_error() -> None:
    form_headers: dict[str, Any] = {"content_type": "application/x-www-form-urlencoded", "accept": "text/html"}
    shown = refused_form(ConflictError("taken", {"name": "taken"}), **form_headers)
    told = refused_form(ConflictError("taken", {"name": "taken"}), content_type="application/json", accept="text/html")

    assert (shown["statusCode"], shown["body"]) == (409, "<form>typed, and taken</form>")
    assert (told["statusCode"], json.loads(told["body"])["fields"]) == (409, {"name": "taken"})


def test_a_form_whose_subject_is_gone_meanwhile_is_answered_with_that() -> None:
    answer = refused_form(ConflictError("stale"), page_error=NotFoundError("erased"), accept="text/html")

    assert (answer["statusCode"], answer["body"]) == (404, "<p>problem: erased</p>")
