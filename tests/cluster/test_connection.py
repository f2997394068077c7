"""Clusters that cannot be used are refused in one line, before any work starts."""

import re
import socket
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import chromacord
from chromacord.cluster import connection
from chromacord.cluster.connection import check_same
from chromacord.cluster.node_tasks import Node, describe_node
from chromacord.errors import InputError
from tests.cli.conftest import Run
from tests.cli.conftest import run as run
from tests.footage import make_composite, make_mask


@pytest.fixture
def shot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_composite(tmp_path / "a.mp4", num_frames=3)
    make_mask(tmp_path / "m.mkv", num_frames=3)
    return tmp_path


ASKED = ("harmonize", "a.mp4", "--mask", "m.mkv", "-o", "out.mp4", "--engine", "ray")


@pytest.mark.parametrize("address", ["nowhere", "host:0", ":1", "host:port", "ray://host:1"])
def test_an_address_that_is_none_is_refused(run: Run, shot: Path, address: str) -> None:
    pytest.importorskip("ray", reason="needs the extra `cluster`")
    done = run(*ASKED, "--address", address)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"--address {address}: is not HOST:PORT" in done.err


def test_an_address_where_nothing_answers_is_refused(run: Run, shot: Path) -> None:
    pytest.importorskip("ray", reason="needs the extra `cluster`")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nothing listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run(*ASKED, "--address", address)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"--address {address}: no Ray cluster answers there" in done.err
    assert not (shot / "out.mp4").exists()


@pytest.mark.parametrize("says", [b"HTTP/1.0 400 Bad request\r\n", b""])
def test_an_address_where_something_else_answers_is_refused(run: Run, shot: Path, says: bytes) -> None:
    pytest.importorskip("ray", reason="needs the extra `cluster`")

    def answer() -> None:
        with server.accept()[0] as client:
            client.recv(100)
            client.sendall(says)

    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=answer, daemon=True).start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        done = run(*ASKED, "--address", address)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"--address {address}: no Ray cluster answers there (something else does)" in done.err


def test_a_server_that_stays_silent_is_refused(run: Run, shot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="needs the extra `cluster`")
    monkeypatch.setattr(connection, "_SECONDS_TO_ANSWER", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = run(*ASKED, "--address", f"127.0.0.1:{server.getsockname()[1]}")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "no Ray cluster answers there (timed out)" in done.err


def test_a_missing_file_is_found_before_the_cluster_is_asked(run: Run, shot: Path) -> None:
    (shot / "m.mkv").unlink()
    done = run(*ASKED, "--address", "nowhere")
    assert (done.code, done.err) == (2, "error: a.mp4: m.mkv: no such file\n")


def test_standard_output_cannot_be_written_by_other_machines(run: Run, shot: Path) -> None:
    done = run("harmonize", "a.mp4", "--mask", "m.mkv", "-o", "-", "--engine", "ray")
    assert done.code == 2
    assert "cannot write to standard output" in done.err


def test_nodes_with_other_versions_are_refused() -> None:
    ours = describe_node()
    check_same("node 10.0.0.2 (b)", ours, ours)
    for changed, message in (({"chromacord": "9.9.9"}, "has chromacord 9.9.9"), ({"numpy": None}, "has no numpy")):
        theirs = Node({**ours.versions, **changed})
        with pytest.raises(
            InputError, match=rf"^node 10.0.0.2 \(b\): {message}, this machine has .*; install the same"
        ):
            check_same("node 10.0.0.2 (b)", theirs, ours)


@pytest.mark.heavy
def test_nodes_with_another_version_are_refused_before_any_work(
    run: Run, shot: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chromacord, "__version__", "9.9.9")  # of this process, not of the nodes'
    done = run(*ASKED, "--address", cluster.address)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert re.search(r"^error: node .*: has chromacord \d.*, this machine has 9\.9\.9; install the same", done.err)
    assert not (shot / "out.mp4").exists()


def test_without_ray_the_extra_is_named(run: Run, shot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    done = run(*ASKED)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "needs ray, which is not installed: pip install" in done.err
