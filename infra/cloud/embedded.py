"""The embedded cloud: MiniStack on loopback, started and stopped by the process that uses it.

MiniStack runs in an interpreter of its own (`.tools/cloud`), with a temporary folder of its own, and holds a pipe
to its parent: when the parent goes, however it goes, the pipe closes and MiniStack goes too.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import boto3
from botocore.config import Config

from infra.cloud.build import ROOT

LOOPBACK = "127.0.0.1"
REGION = "eu-central-1"
PREFERRED_PORT = 4566
INTERPRETER = ROOT / ".tools" / "cloud" / "bin" / "python"
START_SECONDS = 30.0
STOP_SECONDS = 5.0

# Runs in MiniStack's interpreter. The read ends only when the parent is gone or has closed the pipe; then a shell in
# a group of its own ends this one, the functions' workers with it, and takes away the folder they ran in.
#
# MiniStack unpacks a function's code and layer for each worker that it starts, 2,500 files and more, which takes longer
# than all that the worker does, and 50 MB of disk. Here a zip is unpacked once; each worker has a link to its files,
# which it only reads, as on Lambda.
_CHILD = """
import hashlib, os, subprocess, threading, zipfile
unpack, home, lock = zipfile.ZipFile.extractall, os.getcwd(), threading.Lock()
def unpack_once(self, path=None, *rest):
    if not self.filename or not path or os.listdir(path):
        return unpack(self, path, *rest)
    held = "".join(f"{entry.filename} {entry.CRC} {entry.file_size}|" for entry in self.infolist())
    unpacked = os.path.join(home, "unpacked-" + hashlib.sha256(held.encode()).hexdigest())
    with lock:
        if not os.path.exists(unpacked):
            unpack(self, unpacked + "-draft")
            os.rename(unpacked + "-draft", unpacked)
    os.rmdir(path)
    os.symlink(unpacked, path)
    os.unlink(self.filename)
zipfile.ZipFile.extractall = unpack_once
def follow():
    os.read(0, 1)
    script = f'kill -s KILL -- -{os.getpgrp()}; rm -rf "$0"'
    subprocess.Popen(["/bin/sh", "-c", script, os.getcwd()], start_new_session=True)
threading.Thread(target=follow, daemon=True).start()
from ministack.app import main
main()
"""


class EmbeddedCloudError(RuntimeError):
    """The embedded cloud cannot be started or has stopped."""


def free_port(preferred: int = 0) -> int:
    """The preferred port if nobody listens on it, else one the system names."""
    for candidate in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise EmbeddedCloudError("no port is free on loopback")


def why_not(port: int) -> str:
    """Why this port cannot be listened on, in words; empty if it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"port {port} is taken; leave --port out, and a free one is found"
            return f"port {port} cannot be used: {error.strerror}"
    return ""


def client(service: str, endpoint_url: str) -> Any:
    """A boto3 client for the embedded cloud, whatever the environment and the home directory say."""
    config = Config(retries={"total_max_attempts": 2}, read_timeout=120, max_pool_connections=32)
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)  # noqa: S106
    return session.client(service, endpoint_url=endpoint_url, config=config)


class EmbeddedCloud:
    """A MiniStack process of our own; use it as a context manager."""

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port(PREFERRED_PORT)
        self.endpoint_url = f"http://{LOOPBACK}:{self.port}"
        self.environment: dict[str, str] = {}
        """What the functions' processes see beside their own variables; set it before the start."""
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> EmbeddedCloud:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def log(self) -> str:
        """What MiniStack has said so far."""
        path = self._folder / "cloud.log" if self._folder else None
        return path.read_text(encoding="utf-8", errors="replace") if path and path.exists() else ""

    def check(self) -> None:
        """Raise EmbeddedCloudError if the process is gone."""
        if self._process is None or self._process.poll() is not None:
            raise EmbeddedCloudError(f"the embedded cloud has stopped:\n{self.log[-2000:]}")

    def stop(self) -> None:
        """Stop the process, its workers and its folder. Harmless when nothing runs."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None  # noqa: S101
            process.stdin.close()
            # At once, as nothing it holds is kept: asked to end, it waits for every function at work. The functions'
            # workers are in the group that we started, and nobody else is.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            deadline = time.monotonic() + STOP_SECONDS
            while why_not(self.port) and time.monotonic() < deadline:  # a worker may end a moment after its parent
                time.sleep(0.02)
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _start(self) -> None:
        if not INTERPRETER.exists():
            raise EmbeddedCloudError(f"{INTERPRETER} is missing; `make` sets it up")
        self._folder = Path(tempfile.mkdtemp(prefix="parcours-cloud-"))
        with (self._folder / "cloud.log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(INTERPRETER), "-c", _CHILD],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=self._child_environment(self._folder),
                start_new_session=True,  # Ctrl-C reaches us alone, and we stop it in order
            )
        self._wait_until_ready()

    def _child_environment(self, folder: Path) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL") if name in os.environ}
        return {
            **inherited,
            "TMPDIR": str(folder),
            "BIND_HOST": LOOPBACK,
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": REGION,
            "LAMBDA_EXECUTOR": "local",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "AUTH": "true",  # the functions' IAM roles are enforced
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": self.endpoint_url,
            **self.environment,
        }

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self.check()
            try:
                with urllib.request.urlopen(f"{self.endpoint_url}/_ministack/health", timeout=2) as answer:  # noqa: S310
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise EmbeddedCloudError(f"the embedded cloud did not start in {START_SECONDS:.0f} s:\n{self.log[-2000:]}")


def stop_on_signals() -> None:
    """Let SIGINT, SIGTERM and SIGHUP end the program as Ctrl-C does, so that everything is stopped on the way out.

    SIGINT needs the handler too: a child of a non-interactive shell's `&` inherits it as ignored.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
