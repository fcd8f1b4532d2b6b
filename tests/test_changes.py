"""Whatever decides a result and changes is noticed, by DVC's real commands and the real `download` and `split`."""

import hashlib
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import https_server
import pytest
import small_network
import small_workspace
import warm_python
import yaml
from small_workspace import dvc, finished, path_from, start

TARGET = "split@few"
READ = ["local@few", TARGET]


@pytest.fixture(scope="module")
def split_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose data set is an archive on this machine, of unknown size and checksum, split once."""
    folder = small_workspace.make(tmp_path_factory.mktemp("changes") / "workspace", small_network.path().as_uri())
    assert repro(folder) == READ
    assert repro(folder) == []
    return folder


@pytest.fixture
def workspace(split_once: Path, tmp_path: Path) -> Path:
    """The same in a folder of the test's own."""
    return shutil.copytree(split_once, tmp_path / "workspace")


def repro(folder: Path) -> list[str]:
    """The stages that `dvc repro` runs up to the split."""
    return _ran(finished(folder, dvc("repro", TARGET)).stdout)


def refused(folder: Path) -> str:
    """The line of the stage with which `dvc repro` fails."""
    process = start(folder, dvc("repro", TARGET), **path_from(warm_python.folder()))
    out, err = process.communicate()
    assert process.returncode != 0, out
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    return line


def _ran(output: str) -> list[str]:
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage ")]


def packed(folder: Path, change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> None:
    """Put an archive of other members in the place of the data set's."""
    path = folder / "data/few.zip"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in change(members).items():
            archive.writestr(name, content)


def pixels(folder: Path) -> dict[str, str]:
    """The checksum of each picture that the split has taken."""
    images = folder / "data/images/few"
    return {
        path.relative_to(images).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in images.rglob("*.*")
        if path.is_file()
    }


def test_another_archive_with_the_same_counts_is_read(workspace, fault):
    before = pixels(workspace)

    def turned(members: dict[str, bytes]) -> dict[str, bytes]:
        return dict(zip(members, reversed(members.values()), strict=True))

    packed(workspace, turned)
    assert repro(workspace) == READ
    after = pixels(workspace)
    assert after.keys() == before.keys()
    assert list(after.values()) != list(before.values())
    assert sorted(after.values()) == sorted(before.values())
    fault("a changed input", "another archive with the same counts", 1, "read anew by `dvc repro`")


def test_a_refused_archive_that_was_mended_is_taken(workspace, fault):
    good = (workspace / "data/few.zip").read_bytes()
    (workspace / "data/few.zip").write_bytes(good[:-100])
    line = refused(workspace)
    assert "few.zip: ends early or is damaged" in line
    assert "THAW_MIRROR" not in line
    (workspace / "data/few.zip").write_bytes(good)
    repro(workspace)
    assert (workspace / "data/splits/few.csv").exists()
    fault("a changed input", "a refused archive that was mended", 1, "taken by the next `dvc repro`")


def test_a_refused_count_that_was_corrected_is_taken(workspace, fault):
    def more(members: dict[str, bytes]) -> dict[str, bytes]:
        again = [(name, content) for name, content in members.items() if "/train/cats/" in name][:5]
        return members | {name.replace("cats/", "cats/more-"): content + b"\0" for name, content in again}

    packed(workspace, more)
    line = refused(workspace)
    assert (
        "training cats: 21 in few/train/cats, 16 expected); take the right pictures, or correct data/few.yaml" in line
    )
    source = workspace / "data/few.yaml"
    manifest = yaml.safe_load(source.read_text())
    manifest["datasets"]["few"]["images"]["training"]["cats"] = 21
    source.write_text(yaml.safe_dump(manifest))
    assert TARGET in repro(workspace)
    assert len(pixels(workspace)) == 2 * 16 + 2 * 6 + 5
    fault("a changed input", "five pictures more, then their count", 1, "refused by its count, then taken")


def test_an_archive_that_goes_and_comes_back(workspace, fault):
    archive = workspace / "data/few.zip"
    archive.rename(archive.with_name("elsewhere.zip"))
    process = start(workspace, dvc("repro", TARGET), **path_from(warm_python.folder()))
    _, err = process.communicate()
    assert process.returncode != 0
    assert "data/few.zip" in err
    archive.with_name("elsewhere.zip").rename(archive)
    assert repro(workspace) == []
    fault(
        "a changed input", "an archive that was moved away", 1, "named by DVC; once it is back, nothing is to be done"
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    """A server of the archive, which the commands of this module trust."""
    folder = tmp_path_factory.mktemp("certificate")
    certificate = https_server.make_certificate(folder)
    small_workspace.make(folder / "other", small_network.path().as_uri())
    content = (folder / "other/data/few.zip").read_bytes()
    with (
        pytest.MonkeyPatch.context() as patch,
        https_server.serving(content, certificate) as server,
    ):
        patch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.delenv("THAW_MIRROR", raising=False)
        yield server


def test_a_transfer_of_unknown_size_that_breaks_off_is_asked_for_again(server, tmp_path, fault):
    folder = small_workspace.make(tmp_path / "workspace", small_network.path().as_uri())
    manifest = yaml.safe_load((folder / "data/few.yaml").read_text())
    manifest["downloads"]["few"] = {"copies": [{"address": server.address("few.zip")}]}
    (folder / "data/few.yaml").write_text(yaml.safe_dump(manifest))
    params = yaml.safe_load((folder / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump(params | {"downloads": ["few", "weights"], "local": {}}))
    server.faults = ["cut"]
    assert "/few.zip: ends early or is damaged" in refused(folder)
    assert not (folder / "data/raw/few").exists()
    server.faults = ["open"]
    assert repro(folder) == ["download@few", TARGET]
    assert repro(folder) == []
    packed(folder, lambda members: members | {"few/LICENSE": b"text"})
    server.content = (folder / "data/few.zip").read_bytes()
    told = finished(folder, dvc("repro", "--force", "--single-item", "download@few")).stderr
    assert f"warning: {server.address('few.zip')}: is another file than before, of sha256 " in told
    assert repro(folder) == [TARGET]
    fault(
        "a changed input", "a transfer of unknown size that breaks off", 1, "refused, and fetched again by the next run"
    )
