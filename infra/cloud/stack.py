"""From the command line to a deployed stack: on AWS, or wherever `AWS_ENDPOINT_URL` points."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from shared.table import Table

OUTPUT = "TableName"


class StackError(RuntimeError):
    """The stack or its table cannot be reached."""


def find_table(stack: str, name: str = "", *, region: str | None = None) -> Table:
    """The table called `name`, or the one that the stack's outputs tell.

    Raises StackError, saying what to check, when there is none.
    """
    session = boto3.Session(region_name=region)
    try:
        return Table(session.client("dynamodb"), name or outputs_of(session.client("cloudformation"), stack)[OUTPUT])
    except (BotoCoreError, ClientError) as error:
        raise StackError(f"the stack {stack!r} cannot be read: {error}") from None


def find_address(stack: str, *, region: str | None = None) -> str:
    """The address of the pages, as the stack's outputs tell it; "" where they do not, or cannot be read."""
    try:
        return outputs_of(boto3.Session(region_name=region).client("cloudformation"), stack).get("ApiUrl", "")
    except (BotoCoreError, ClientError, StackError):
        return ""


def outputs_of(cloudformation: Any, stack: str) -> dict[str, str]:
    """The outputs of a stack by name. Raises StackError if it is not a stack of Parcours."""
    found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {output["OutputKey"]: str(output["OutputValue"]) for output in found.get("Outputs", [])}
    if OUTPUT not in outputs:
        raise StackError(f"the stack {stack!r} has no output {OUTPUT}; is it Parcours?")
    return outputs
