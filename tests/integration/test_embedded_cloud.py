"""The embedded cloud listens on loopback alone and leaves nothing behind, however its user ends."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.cloud.build import ROOT
from infra.cloud.embedded import LOOPBACK, EmbeddedCloud, EmbeddedCloudError, free_port

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

DEMO = [sys.executable, "-m", "infra.cli", "demo", "--people", "0"]


def listens(port: int) -> bool:
    """Whether a server listens on loopback."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def eventually(condition: Callable[[], bool], seconds: float = 15) -> bool:
    """Whether something comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def listening_addresses(port: int) -> set[str]:
    """The local addresses, in hex, of the sockets that listen on a port."""
    rows = [line.split() for path in ("tcp", "tcp6") for line in Path(f"/proc/net/{path}").read_text().splitlines()[1:]]
    return {row[1].partition(":")[0] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"}


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder of the test's own, which must be empty at the end."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert eventually(lambda: not list(folder.iterdir())), list(folder.iterdir())


@pytest.mark.usefixtures("scratch")
def test_it_listens_on_loopback_alone_and_stops_with_its_block() -> None:
    """One process, one port, one folder; all three are gone afterwards."""
    with EmbeddedCloud(free_port()) as cloud:
        assert listening_addresses(cloud.port) == {"0100007F"}

    assert not listens(cloud.port)


@pytest.mark.usefixtures("scratch")
def test_it_stops_when_its_user_fails() -> None:
    """An exception goes through and leaves nothing."""
    cloud = EmbeddedCloud(free_port())

    with pytest.raises(ZeroDivisionError), cloud:
        raise ZeroDivisionError

    assert not listens(cloud.port)


@pytest.mark.usefixtures("scratch")
def test_a_start_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log's end is in the message."""
    monkeypatch.setattr("infra.cloud.embedded._CHILD", "raise SystemExit('no cloud today')")

    with pytest.raises(EmbeddedCloudError, match="no cloud today"), EmbeddedCloud(free_port()):
        pass


def test_a_taken_port_is_passed_over() -> None:
    """A server that another process started keeps its port."""
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        taken = other.getsockname()[1]

        assert free_port(taken) != taken


def test_it_goes_when_its_user_is_killed(scratch: Path) -> None:
    """A process that gets SIGKILL cannot tidy up; the closed pipe tells MiniStack, which takes its folder with it."""
    port = free_port()
    user = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import time; from infra.cloud.embedded import EmbeddedCloud\nwith EmbeddedCloud({port}): time.sleep(60)",
        ],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    try:
        assert eventually(lambda: listens(port), 30)
    finally:
        user.kill()
        user.wait()

    assert eventually(lambda: not listens(port))


def ignoring_sigint() -> None:
    """What a shell script does to a command that it starts with `&`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.sweep)])
def test_a_demo_that_is_stopped_leaves_nothing(scratch: Path, tmp_path: Path, number: signal.Signals) -> None:
    """No process, no port, no folder, also when a script started it; its addresses were told as soon as it was up."""
    out = tmp_path / "out"
    demo = subprocess.Popen(
        [*DEMO, "--port", str(free_port()), "--out", str(out)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=ignoring_sigint,
    )
    try:
        assert eventually((out / "demo.json").exists, 300)
        addresses = json.loads((out / "demo.json").read_text(encoding="utf-8"))
        ports = [int(re.findall(r":(\d+)", addresses[name])[0]) for name in ("endpoint_url", "mailbox_url")]
        assert all(map(listens, ports))
        demo.send_signal(number)
        said, _ = demo.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):  # whatever failed, nothing of the demo stays
            os.killpg(demo.pid, signal.SIGKILL)
        demo.wait()

    assert "nothing is left running" in said
    assert not any(map(listens, ports))


def test_a_port_asked_for_and_taken_is_bad_input(capfd: pytest.CaptureFixture[str]) -> None:
    """Exit 2, and nothing was started."""
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        taken = other.getsockname()[1]
        done = subprocess.run([*DEMO, "--port", str(taken)], cwd=ROOT, check=False)

    assert done.returncode == 2
    assert f"port {taken} is taken" in capfd.readouterr().err
