"""docs/event-file.md explains every key of the event file, and what it shows works."""

from __future__ import annotations

import re

import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from infra.files.event_reference import HEAD, KEYS, PAGE, keys, page
from shared.event_file import parse_event


def test_every_key_of_the_models_is_explained_and_no_other() -> None:
    assert sorted(key.path for key in keys()) == sorted(KEYS)


def test_the_page_is_what_the_models_say() -> None:
    """`python -m infra.files.event_reference` writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize(
    "key", [key for key in keys() if KEYS.get(key.path, ("", ""))[1]], ids=lambda key: str(key.path)
)
def test_the_example_of_a_key_is_a_value_it_takes(key: object) -> None:
    field, example = key.field, YAML(typ="safe", pure=True).load(KEYS[key.path][1])  # type: ignore[attr-defined]

    TypeAdapter(field.rebuild_annotation()).validate_python(str(example) if key.path == "date" else example)  # type: ignore[attr-defined]


def test_the_shortest_file_of_the_page_is_an_event() -> None:
    found = re.search(r"```yaml\n(.*?)```", HEAD, re.DOTALL)

    assert found is not None
    assert parse_event(found[1]).id == "spring-day"
