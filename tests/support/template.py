"""The template as written, as plain data; read quickly, as every process of the tests needs a part of it."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml  # type: ignore[import-untyped]

from infra.cloud.build import TEMPLATE


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads the template's short tags as plain data: `!Ref x` as {"Ref": x}."""


def _tagged(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    match node:
        case yaml.ScalarNode():
            return {tag: loader.construct_scalar(node)}
        case yaml.SequenceNode():
            return {tag: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {tag: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _tagged)


@cache
def resources() -> dict[str, Any]:
    """Every resource by its name, before the SAM transform."""
    return dict(yaml.load(TEMPLATE.read_text(encoding="utf-8"), _Loader)["Resources"])
