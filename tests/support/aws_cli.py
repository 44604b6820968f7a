"""Commands of AWS CLI v2 as calls of boto3: enough of the CLI's grammar for the commands in `docs/operating.md`.

The CLI itself is no dependency of the project. Service, operation and parameter names come from the same models.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore import xform_name
from botocore.model import OperationModel, Shape
from botocore.validate import validate_parameters

GLOBAL = {"--query", "--output", "--region", "--cli-binary-format"}


@dataclass(frozen=True)
class Call:
    """One call of a service."""

    service: str
    operation: OperationModel
    parameters: dict[str, Any] = field(default_factory=dict)


def shell_commands(markdown: str) -> Iterator[str]:
    """The commands that begin with `aws` in the shell blocks of a page."""
    for block in re.findall(r"```sh\n(.*?)```", markdown, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("aws "):
                yield line


def call_of(command: str, substitute: Callable[[str], str]) -> Call:
    """The call that a command makes. Raises KeyError or ValueError if the CLI would not take it.

    `substitute` gives the text of what stands in `$(…)`.
    """
    filled = re.sub(r"\$\(([^)]*)\)", lambda found: substitute(found[1]), command)
    _, service, operation_name, *options = shlex.split(filled)
    client = boto3.client(service, region_name="eu-central-1")
    names = {xform_name(name, "-"): name for name in client.meta.service_model.operation_names}
    operation = client.meta.service_model.operation_model(names[operation_name])
    members = {f"--{xform_name(name, '-')}": (name, shape) for name, shape in operation.input_shape.members.items()}
    parameters: dict[str, Any] = {}
    while options:
        option = options.pop(0)
        if not option.startswith("--"):
            if operation_name != "invoke" or options:
                raise ValueError(f"{option} is no option of {operation_name}")
            continue  # the file that the answer of `invoke` is written to
        if option in GLOBAL:
            options.pop(0)
        elif option.startswith("--no-") and option.replace("--no-", "--") in members:
            parameters[members[option.replace("--no-", "--")][0]] = False
        else:
            name, shape = members[option]
            parameters[name] = True if shape.type_name == "boolean" else _value(options.pop(0), shape)
    validate_parameters(parameters, operation.input_shape)
    return Call(service, operation, parameters)


def _value(text: str, shape: Shape) -> Any:
    """An option's value: JSON, shorthand (`A=b,C=d`) or a plain word."""
    if shape.type_name in {"structure", "map", "list"}:
        if text.startswith(("{", "[")):
            return json.loads(text)
        pairs = (part.split("=", 1) for part in text.split(","))
        return {name: {"true": True, "false": False}.get(value, value) for name, value in pairs}
    if shape.type_name == "integer":
        return int(text)
    return text.encode() if shape.type_name == "blob" else text
