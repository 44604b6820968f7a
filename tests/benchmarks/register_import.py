"""How long importing the register function takes, beside boto3, Powertools and pydantic alone.

    python -m tests.benchmarks.register_import [--runs 15] [--most 1.3]

Each measurement is CPU time in a fresh interpreter, the programs in turn; medians are compared. The function makes
its two clients while it is imported, where Lambda gives it the most CPU, and boto3 reads its service models only then:
so the libraries make the same two. The second ratio leaves the clients out on both sides. Exits 1 if the first is
above `--most`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

LIBRARIES = """
import boto3
from botocore.config import Config
from pydantic import BaseModel, Field
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
class One(BaseModel):
    number: int
"""

CLIENTS = """
boto3.client("dynamodb", config=Config(retries={"mode": "standard"}))
boto3.client("secretsmanager", config=Config(retries={"mode": "standard"}))
"""

NO_CLIENTS = """
import boto3
boto3.client = lambda *_, **__: None
"""

FUNCTION = "import functions.register.app"

PROGRAMS = {
    "boto3 + Powertools + pydantic": LIBRARIES + CLIENTS,
    "the register function": FUNCTION,
    "the libraries, no client": LIBRARIES,
    "the function, no client": NO_CLIENTS + FUNCTION,
}

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "TABLE_NAME": "parcours",
    "SECRET_ARN": "parcours",
    "PUBLIC_URL": "https://parcours.example.org",
    "POWERTOOLS_SERVICE_NAME": "register",
}


def milliseconds(program: str) -> float:
    """How long a program takes inside a fresh interpreter, in milliseconds of CPU time."""
    timed = f"import time; begun = time.process_time()\n{program}\nprint((time.process_time() - begun) * 1000)"
    done = subprocess.run(
        [sys.executable, "-c", timed], capture_output=True, text=True, check=True, env=os.environ | ENVIRONMENT
    )
    return float(done.stdout)


def main() -> int:
    """Measure, print, and say by the exit code whether the ratio holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15, help="fresh interpreters for each program")
    parser.add_argument("--most", type=float, default=1.3, help="the largest ratio that passes")
    options = parser.parse_args()
    for program in PROGRAMS.values():  # files into the cache, bytecode onto the disk
        milliseconds(program)
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(options.runs):
        for name, program in PROGRAMS.items():
            taken[name].append(milliseconds(program))
    for name, times in taken.items():
        print(f"{name:<32}{statistics.median(times):8.0f} ms  (least {min(times):.0f})")
    base, ours, bare_base, bare_ours = (statistics.median(times) for times in taken.values())
    print(f"ratio {ours / base:.2f}, at most {options.most}; without clients {bare_ours / bare_base:.2f}")
    return int(ours / base > options.most)


if __name__ == "__main__":
    sys.exit(main())
