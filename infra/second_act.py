"""The demo after publication: people withdraw, an organiser adds late ones, and a `keep` run tells only who moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from infra.running import Running
from shared.models import Event


def second_act(stage: Running, event: Event, seed: str, say: Callable[[str], None]) -> dict[str, Any]:
    """Play it and return its figures; `good` if exactly those whose programme changed were told."""
    raise NotImplementedError
