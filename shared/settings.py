"""What the template tells a function through its environment, read once when the function starts."""

from __future__ import annotations

import os


def required(name: str) -> str:
    """An environment variable that the template must set. Raises RuntimeError naming it when it does not."""
    value = os.environ.get(name)
    if not value:
        raise RuntimeError(f"the environment lacks {name}; infra/template.yaml sets it for this function")
    return value


def optional(name: str, default: str) -> str:
    """An environment variable, or its default."""
    return os.environ.get(name) or default


def table_name() -> str:
    """The one table."""
    return required("TABLE_NAME")


def trusted_proxies() -> int:
    """How many proxies of the operator stand before the API."""
    return int(optional("TRUSTED_PROXIES", "0"))


def public_url() -> str:
    """Where people reach Parcours, without a slash at the end."""
    return required("PUBLIC_URL").rstrip("/")
