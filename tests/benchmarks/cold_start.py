"""CPU seconds that each function takes to import, with its bytecode and without.

    python -m tests.benchmarks.cold_start              # what the laptop builds, for the running interpreter
    python -m tests.benchmarks.cold_start .build/aws   # what `parcours deploy` built, on its own architecture

The floor is the interpreter with boto3 alone, which Lambda brings along. Without bytecode every module is compiled at
each cold start, since `/opt` and `/var/task` are read-only. CPU time of the child, the best of a few.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import boto3

from infra.cloud import build

FUNCTIONS = ("register", "organise", "allocate", "relay", "mail", "feedback", "upkeep")
BEST_OF = 3
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "TABLE_NAME": "t",
    "PUBLIC_URL": "https://example.org",
    "SENDER": "day@example.org",
    "CONFIGURATION_SET": "c",
    "SECRET_ARN": "s",
    "ALLOCATE_FUNCTION": "a",
    "MAIL_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/1/q",
    "POWERTOOLS_SERVICE_NAME": "s",
    "POWERTOOLS_METRICS_NAMESPACE": "n",
}


def unpacked(target: Path) -> Path:
    """What the laptop builds, as folders of `target` named after their resources, compiled."""
    for artifact in build.build():
        with zipfile.ZipFile(artifact.zip) as file:
            file.extractall(target / artifact.resource)
    command = [sys.executable, "-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash", str(target)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return target


def cpu_seconds(interpreter: str, code: str, path: list[Path]) -> float:
    """The least CPU time of a few interpreters that run this code with this path."""
    boto = Path(boto3.__file__).parents[1]  # last, as in Lambda, where the runtime brings it
    environment = {
        **ENVIRONMENT,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, [*path, boto])),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    times = []
    for _ in range(BEST_OF):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([interpreter, "-S", "-c", code], env=environment, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def main() -> None:
    """Print a line a function."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("built", nargs="?", type=Path, help="folders that `parcours deploy` built")
    options = parser.parse_args()
    interpreter = shutil.which("python3.13") if options.built else sys.executable
    if interpreter is None:
        sys.exit("python3.13 is not on PATH")
    with tempfile.TemporaryDirectory() as folder:
        built = options.built.resolve() if options.built else unpacked(Path(folder) / "built")
        bare = shutil.copytree(built, Path(folder) / "bare", ignore=shutil.ignore_patterns("__pycache__"))
        floor = cpu_seconds(interpreter, "import boto3; boto3.client('dynamodb')", [])
        print(f"{'function':<12}{'with bytecode':>16}{'without':>12}")
        print(f"{'(floor)':<12}{floor:>16.2f}")
        for name in FUNCTIONS:
            times = [
                cpu_seconds(
                    interpreter,
                    f"import functions.{name}.app",
                    [root / f"{name.capitalize()}Function", root / "SharedLayer" / "python"],
                )
                for root in (built, bare)
            ]
            print(f"{name:<12}{times[0]:>16.2f}{times[1]:>12.2f}", flush=True)


if __name__ == "__main__":
    main()
