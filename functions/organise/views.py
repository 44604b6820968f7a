"""Pages for organisers: templates, and the few words and numbers they share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.errors import NotSignedInError, ParcoursError

_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "pages"), autoescape=True, undefined=StrictUndefined
)


def render(template: str, **facts: Any) -> str:
    """A page as HTML."""
    return _pages.get_template(template).render(**facts)


def render_error(request: APIGatewayProxyEventV2, error: ParcoursError) -> str:  # noqa: ARG001
    """The page that says what went wrong and what to do; the sign-in form for who is not signed in."""
    if isinstance(error, NotSignedInError):
        return render("sign_in.html", problem=error.message)
    return render("problem.html", error=error)
