"""Put the template on the embedded cloud: upload what was built, create the stack, read its outputs."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from infra.cloud import build
from infra.cloud.embedded import client

BUCKET = "parcours-artifacts"
STACK = "parcours"
API_ID = "c0ffee24"
"""The tag that MiniStack reads gives the API this id, so that addresses stay the same from run to run."""

DEPLOY_SECONDS = 60.0


class DeployError(RuntimeError):
    """The stack could not be created."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed stack: its name and its outputs."""

    name: str
    outputs: Mapping[str, str]

    @property
    def table(self) -> str:
        """The name of the table."""
        return self.outputs["TableName"]


def public_url(port: int) -> str:
    """Where a browser on this machine reaches the API: browsers resolve *.localhost themselves."""
    return f"http://{API_ID}.execute-api.localhost:{port}"


def deploy(endpoint_url: str, parameters: Mapping[str, str], *, name: str = STACK) -> Stack:
    """Build, upload and create the stack on the embedded cloud.

    Raises DeployError with the reasons CloudFormation gives.
    """
    artifacts = build.build()
    _upload(client("s3", endpoint_url), artifacts)
    cloudformation = client("cloudformation", endpoint_url)
    cloudformation.create_stack(
        StackName=name,
        TemplateURL=f"{endpoint_url}/{BUCKET}/template.yaml",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        Tags=[{"Key": "ms-custom-id", "Value": API_ID}],
    )
    return _wait(cloudformation, name)


def _upload(s3: Any, artifacts: Iterable[build.Artifact]) -> None:
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    template = build.load_template()
    for artifact in artifacts:
        template["Resources"][artifact.resource]["Properties"][artifact.property] = f"s3://{BUCKET}/{artifact.zip.name}"
    text = io.StringIO()
    build.dump_template(template, text)
    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(
                lambda artifact: s3.put_object(Bucket=BUCKET, Key=artifact.zip.name, Body=artifact.zip.read_bytes()),
                artifacts,
            )
        )
    s3.put_object(Bucket=BUCKET, Key="template.yaml", Body=text.getvalue().encode())


def _wait(cloudformation: Any, name: str) -> Stack:
    deadline = time.monotonic() + DEPLOY_SECONDS
    while time.monotonic() < deadline:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
            return Stack(name, outputs)
        if not stack["StackStatus"].endswith("CREATE_IN_PROGRESS"):
            raise DeployError(_reasons(cloudformation, name))
        time.sleep(0.1)
    raise DeployError(f"the stack {name} was not ready in {DEPLOY_SECONDS:.0f} s")


def _reasons(cloudformation: Any, name: str) -> str:
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
    events = [event for page in pages for event in page["StackEvents"]]
    failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    lines = [f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '?')}" for event in reversed(failed)]
    return "\n".join([f"the stack {name} could not be created:", *lines])
