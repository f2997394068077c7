"""Who may ask the server, and for what."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chromacord.errors import ChromacordError, InputError
from chromacord.ui.serving.folders import Folders
from chromacord.ui.session import Session
from tests.ui.conftest import SESSION, Server, make_footage, start


def test_only_names_of_this_machine_are_served(server: Server) -> None:
    for host in ("127.0.0.1", "localhost", "[::1]"):
        assert server.ask("/", Host=f"{host}:{server.port}").status == 200
    for host in (
        "evil.example",
        f"evil.example:{server.port}",
        "127.0.0.1",
        f"127.0.0.1.evil.example:{server.port}",
        "",
    ):
        assert server.ask("/api/state", Host=host).status == 403


def test_other_pages_are_refused(server: Server) -> None:
    own = f"127.0.0.1:{server.port}"
    assert server.ask("/api/state", Origin=f"http://{own}", Host=own).status == 200
    for origin in ("http://evil.example", "null", f"https://{own}", f"http://localhost:{server.port}"):
        assert server.ask("/api/state", Origin=origin, Host=own).status == 403
    assert server.ask("/api/state", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="cors").status == 403
    assert server.ask("/static/main.js", Sec_Fetch_Site="same-site", Sec_Fetch_Mode="no-cors").status == 403
    visit = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert server.ask("/", **visit).status == 200


def test_the_page_may_load_nothing_from_elsewhere_and_stand_in_no_frame(server: Server) -> None:
    headers = server.ask("/").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


@pytest.mark.parametrize("path", ["/etc/passwd", "../secret.mp4", "link/secret.mp4", "", "a\0b"])
def test_paths_outside_the_folders_are_refused(server: Server, path: str) -> None:
    outside = server.folder.parent / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "secret.mp4").touch()
    if not (server.folder / "link").exists():
        (server.folder / "link").symlink_to(outside)
    session = {**SESSION, "clip": {"composite": path, "mask": str(server.folder / "mask.mkv")}}
    answer = server.ask("/api/clips", session)
    assert answer.status == 422
    assert (
        "outside the folders" in answer.error or "is not the path of a file" in answer.error or "null" in answer.error
    )
    if path and "\0" not in path:
        assert server.ask(f"/api/files?folder={os.path.dirname(path)}").status == 422  # noqa: PTH120


@pytest.mark.parametrize("name", ["background", "reference", "cuts", "grade_in", "mask"])
def test_every_kind_of_input_is_confined(server: Server, name: str) -> None:
    clip = {"composite": str(server.folder / "comp.mp4"), "mask": str(server.folder / "mask.mkv"), name: "/etc/passwd"}
    answer = server.ask("/api/clips", {**SESSION, "clip": clip})
    assert (answer.status, "outside the folders" in answer.error) == (422, True)


def test_outputs_configurations_and_weights_are_confined_too(server: Server) -> None:
    clip = server.open(server.folder / "comp.mp4", server.folder / "mask.mkv", method="mkl")
    for name in ("output", "grade_out", "lut_out", "preview", "foreground_out"):
        answer = server.ask(f"/api/clips/{clip}/renders", {"outputs": {name: "/var/tmp/out.mkv"}})
        assert (answer.status, "outside the folders" in answer.error) == (422, True)
    assert server.ask(f"/api/clips/{clip}/session", {"path": "/var/tmp/s.json"}).status == 422
    for options in ({"config": "/etc/passwd"}, {"method": "shotgrade:weights=/etc/passwd"}):
        session = {**server.ask(f"/api/clips/{clip}").json["session"], "options": options}
        answer = server.ask(f"/api/clips/{clip}", session, method="PUT")
        assert answer.status == 422, options
        assert "/etc/passwd" in answer.error
    matte = {"clip": str(server.folder / "comp.mp4"), "output": "/var/tmp/m.mkv", "options": {"key": "green"}}
    assert server.ask("/api/mattes", matte).status == 422


def test_a_request_that_is_no_json_or_too_long_is_refused(server: Server) -> None:
    assert "no JSON" in server.ask("/api/clips", b"{}", Content_Type="text/plain").error
    assert server.ask("/api/clips", b"[1", Content_Type="application/json").status == 422
    assert (
        "larger than" in server.ask("/api/clips", b'"' + b"a" * (1 << 20) + b'"', Content_Type="application/json").error
    )
    assert server.ask("/api/nothing").status == 404
    assert server.ask("/static/../app.py").status == 404


def test_uploads_are_stored_under_their_last_name_only(server: Server) -> None:
    content = (server.folder / "mask.mkv").read_bytes()
    answer = server.ask("/api/uploads?name=..%2F..%2Fmask.mkv", content)
    path = Path(answer.json["path"])
    assert path.name == "mask.mkv"
    assert path.read_bytes() == content
    assert not path.is_relative_to(server.folder)
    for name in ("", ".hidden", "a" * 300, "..", "a%00b"):
        assert server.ask(f"/api/uploads?name={name}", b"x").status == 422, name


def test_an_upload_that_is_too_long_leaves_nothing(tmp_path: Path) -> None:
    anyio = pytest.importorskip("anyio")
    uploads = pytest.importorskip("chromacord.ui.serving.uploads")

    async def parts() -> object:
        for _ in range(4):
            yield b"12345"

    async def send() -> None:
        await uploads.receive(parts(), "a.mp4", tmp_path, limit=12)

    # The browser's driver has a loop of its own in this thread.
    with ThreadPoolExecutor(1) as in_thread, pytest.raises(InputError, match="larger than 12 bytes"):
        in_thread.submit(anyio.run, send).result()
    assert not [*tmp_path.iterdir()]


def test_another_address_needs_the_token(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn", reason="needs the extra: pip install '.[ui]'")
    make_footage(tmp_path)
    running = start(tmp_path, "--host", "0.0.0.0", "--token", "s3cret")
    try:
        assert running.address.endswith("/?token=s3cret")
        assert running.ask("/").status == 401
        assert running.ask("/?token=wrong").status == 401
        answer = running.ask("/?token=s3cret")
        assert answer.status == 200
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert running.ask("/api/state", Cookie=cookie.partition(";")[0]).status == 200
        assert running.ask("/api/state", Cookie="chromacord_token=wrong").status == 401
    finally:
        running.stop()


def test_temporary_files_go_when_the_server_ends(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn", reason="needs the extra: pip install '.[ui]'")
    make_footage(tmp_path)
    running = start(tmp_path)
    temporary = Path(running.ask("/api/state").json["temporary"])
    running.open(tmp_path / "comp.mp4", tmp_path / "mask.mkv", method="mkl")
    assert [*temporary.iterdir()]
    assert running.stop() in (0, 130)
    assert not temporary.exists()


def test_a_session_cannot_name_what_it_does_not_know() -> None:
    for wrong in ({"clip": {"output": "a"}}, {"options": {"encoding": 1}}, {"options": {"exposure": 99}}, {"clip": 3}):
        with pytest.raises((ChromacordError, TypeError)):
            Session(**wrong)  # type: ignore[arg-type]


def test_links_are_followed_from_masks_with_a_form(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret.png").touch()
    (inside / "link.png").symlink_to(outside / "secret.png")
    (inside / "mask.png").touch()
    folders = Folders([inside])
    for path in ("link.png", "link.png@inverted", "link.png@label=3", "../outside/secret.png@luma"):
        with pytest.raises(InputError, match="lies outside the folders"):
            folders.confined(path)
    assert folders.confined("mask.png@inverted") == str(inside / "mask.png@inverted")
