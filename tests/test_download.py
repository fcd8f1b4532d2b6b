"""Downloads: from a mirror, a path, and over HTTPS from a server on this machine that fails as asked."""

import errno
import hashlib
import io
import os
import random
import shutil
import tarfile
import zipfile
from pathlib import Path

import h5py
import https_server
import pytest
from https_server import ETAG

from stages import download
from stages.common.command import ThawError, run
from stages.common.manifest import Copy
from stages.sources import transfer

CONTENT = bytes(range(256)) * 4000  # about a megabyte
DIGEST = hashlib.sha256(CONTENT).hexdigest()
MORE = "sends more than 1000 bytes, the manifest's number; correct it if the file is another now"
HTML = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return https_server.make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def server(certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    monkeypatch.setattr(transfer, "WAITS", (0, 0))
    with https_server.serving(CONTENT, certificate) as server:
        yield server


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch, small_params, write_params):
    monkeypatch.chdir(tmp_path)
    write_params(small_params)
    monkeypatch.delenv("THAW_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def fetch(small_manifest, write_manifest, small_params, write_params):
    """Write a manifest with these copies of `animals` and fetch it to the folder `out`."""

    def fetch_animals(*copies):
        small_manifest["downloads"]["animals"]["copies"] = list(copies)
        source = write_manifest(small_manifest)
        if paths := [path for copy in copies if (path := Copy(**copy).path_from(source))]:
            watched = {"animals": str(paths[0])}
            write_params(small_params | {"local": watched, "downloads": ["flowers", "weights"]})
        download.main(["--source", str(source), "--name", "animals", "--out", "out"])

    return fetch_animals


@pytest.fixture
def failure(fetch, told):
    """The message of a fetch that fails, without the remedy that `remedy_of` tells; nothing stands at `out`."""

    def failed_fetch(*copies):
        with pytest.raises(ThawError) as caught:
            fetch(*copies)
        assert not Path("out").exists()
        message = str(caught.value)
        told("downloads", message)
        assert "\n" not in message
        assert message.endswith(remedy_of(*copies))
        return message.removesuffix(remedy_of(*copies))

    return failed_fetch


def remedy_of(*copies):
    """What helps where copies lie elsewhere; one of this machine has a remedy of its own."""
    elsewhere = [Copy(**copy) for copy in copies if Copy(**copy).path_from(Path()) is None]
    if not elsewhere:
        return ""
    names = " or ".join(dict.fromkeys(Copy(**copy).file_name for copy in copies))
    addressed = any(each.address for each in elsewhere)
    address = "see that the address is right and can be reached from here, or " if addressed else ""
    return f"; {address}set THAW_MIRROR=FOLDER to a folder that holds {names}"


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_a_path_is_relative_to_the_manifest(fetch, tmp_path, monkeypatch):
    (tmp_path / "embedded").mkdir()
    (tmp_path / "embedded/animals.zip").write_bytes(CONTENT)
    (tmp_path / "elsewhere").mkdir()
    shutil.copy("params.yaml", "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    fetch({"path": "embedded/animals.zip", "sha256": DIGEST, "bytes": len(CONTENT)})
    assert files("out") == {"animals.zip": CONTENT}


def test_a_file_address(fetch, tmp_path):
    (tmp_path / "my animals.zip").write_bytes(CONTENT)
    fetch({"address": f"file://{tmp_path}/my%20animals.zip"})
    assert files("out") == {"my animals.zip": CONTENT}


@pytest.mark.parametrize(
    ("copy", "place"),
    [({"path": "animals.zip"}, "{}/animals.zip"), ({"address": "file:///my%20own/animals.zip"}, "/my own/animals.zip")],
)
def test_a_file_of_this_machine_that_could_change_unseen_is_refused(
    copy, place, small_manifest, write_manifest, tmp_path, told
):
    small_manifest["downloads"]["animals"]["copies"] = [copy]
    source = write_manifest(small_manifest)
    with pytest.raises(ThawError) as caught:
        download.main(["--source", str(source), "--name", "animals", "--out", "out"])
    assert str(caught.value) == (
        f"params.yaml: downloads: 'animals' is {next(iter(copy.values()))} on this machine, which may change; so that "
        f"DVC looks whether it did, write `local: {{animals: {place.format(tmp_path)}}}` and take it out of downloads, "
        f"or give its sha256 in {source}"
    )
    told("downloads", str(caught.value), f"a {next(iter(copy))} on this machine of which nothing is known")


def test_what_stood_at_out_before_is_replaced(fetch, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old.zip").write_bytes(b"old")
    (tmp_path / "animals.zip").write_bytes(CONTENT)
    fetch({"path": "animals.zip"})
    assert files("out") == {"animals.zip": CONTENT}


@pytest.mark.parametrize(
    ("copy", "content", "cause"),
    [
        ({}, None, "is not there"),
        ({"bytes": 5}, b"1234", "has 4 bytes, not 5 as the manifest says"),
        (
            {"sha256": DIGEST},
            b"1234",
            f"has sha256 {hashlib.sha256(b'1234').hexdigest()}, not {DIGEST} as the manifest says",
        ),
        ({"bytes": 5}, HTML, "is an HTML page (a login or an error?), not animals.zip"),
    ],
    ids=["missing", "another size", "another checksum", "html"],
)
def test_files_that_are_not_what_the_manifest_says(copy, content, cause, failure, tmp_path):
    source = tmp_path / "small.yaml"
    remedy = f"bring it back, or correct its path in {source} (and under `local` in params.yaml)"
    if content is not None:
        (tmp_path / "animals.zip").write_bytes(content)
        remedy = (
            f"put the right file there, or, if this one is right, correct {source} "
            "(`python -m stages.adopt --update small` does so if adopt wrote it)"
        )
    assert failure({"path": "animals.zip", **copy}) == f"{tmp_path}/animals.zip: {cause}; {remedy}"


def test_the_mirror_comes_first_and_any_known_checksum_will_do(fetch, tmp_path, monkeypatch):
    (tmp_path / "animals.zip").write_bytes(b"by path")
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/animals.zip").write_bytes(CONTENT)
    monkeypatch.setenv("THAW_MIRROR", "mirror")
    fetch({"path": "animals.zip"}, {"name": "packed_again.zip", "sha256": DIGEST})
    assert files("out") == {"animals.zip": CONTENT}


def test_a_strange_file_in_the_mirror_is_passed_over_with_a_warning(fetch, tmp_path, monkeypatch, capfd):
    (tmp_path / "animals.zip").write_bytes(CONTENT)
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/animals.zip").write_bytes(b"strange")
    monkeypatch.setenv("THAW_MIRROR", "mirror")
    fetch({"path": "animals.zip", "sha256": DIGEST})
    assert files("out") == {"animals.zip": CONTENT}
    found = hashlib.sha256(b"strange").hexdigest()
    source = tmp_path / "small.yaml"
    assert capfd.readouterr() == (
        "",
        f"warning: mirror/animals.zip: passed over, its sha256 {found} is not in {source}\n",
    )


def test_the_mirror_s_file_will_do_where_no_checksum_is_known(fetch, tmp_path, monkeypatch):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/animals.zip").write_bytes(CONTENT)
    monkeypatch.setenv("THAW_MIRROR", "mirror")
    fetch({"address": "https://127.0.0.1/animals.zip"})
    assert files("out") == {"animals.zip": CONTENT}


def test_the_mirror_s_file_is_looked_at_where_no_checksum_is_known(failure, tmp_path, monkeypatch):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/animals.zip").write_bytes(HTML)
    monkeypatch.setenv("THAW_MIRROR", "mirror")
    cause = "mirror/animals.zip: is an HTML page (a login or an error?), not animals.zip"
    assert failure({"path": "animals.zip"}).startswith(f"{cause}; {tmp_path}/animals.zip: is not there; bring it back")


def test_a_mirror_without_the_file_is_named(failure, tmp_path, monkeypatch):
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("THAW_MIRROR", "mirror")
    copies = [{"name": "a.zip", "sha256": DIGEST}, {"name": "b.zip", "sha256": DIGEST}]
    assert failure(*copies) == "THAW_MIRROR (mirror): holds no good a.zip or b.zip"


def test_a_mirror_that_is_no_folder(fetch, monkeypatch):
    monkeypatch.setenv("THAW_MIRROR", "nowhere")
    with pytest.raises(ThawError) as caught:
        fetch({"path": "animals.zip"})
    assert str(caught.value) == "THAW_MIRROR: there is no folder 'nowhere'; name an existing one or unset it"


def test_copies_known_by_name_alone_without_a_mirror(failure, tmp_path):
    assert failure({"name": "a.zip", "sha256": DIGEST}) == f"a.zip: {tmp_path}/small.yaml knows no address"


def test_over_https(server, fetch, capfd):
    fetch({"address": server.address("animals.zip"), "bytes": len(CONTENT), "sha256": DIGEST})
    assert files("out") == {"animals.zip": CONTENT}
    assert files("work") == {}
    assert server.ranges == [None]
    assert capfd.readouterr() == ("", "")  # no bar where there is no terminal


def test_a_broken_connection_is_taken_up_where_it_broke(server, fetch):
    server.faults = ["break", "break", 500, "break"]
    fetch({"address": server.address("animals.zip"), "sha256": DIGEST})
    assert files("out") == {"animals.zip": CONTENT}
    half, three_quarters = len(CONTENT) // 2, len(CONTENT) * 3 // 4
    seven_eighths = len(CONTENT) * 7 // 8
    asked = [f"bytes={start}-" for start in (half, three_quarters, three_quarters, seven_eighths)]
    assert server.ranges == [None, *asked]


def test_the_next_run_goes_on_where_the_last_one_gave_up(server, fetch, failure):
    copy = {"address": server.address("animals.zip")}
    server.faults = ["break", 503, 503]
    assert failure(copy) == f"{copy['address']}: answers 503 Service Unavailable"
    half = len(CONTENT) // 2
    assert files("work/download")["animals.zip.part"] == CONTENT[:half]
    server.ranges.clear()
    fetch(copy)
    assert files("out") == {"animals.zip": CONTENT}
    assert not any("part" in name for name in files("work"))
    assert server.ranges == [f"bytes={half}-"]


def test_a_file_that_changed_meanwhile_is_fetched_anew(server, fetch, failure):
    copy = {"address": server.address("animals.zip")}
    server.faults = ["break", 503, 503]
    failure(copy)
    server.content, server.headers = CONTENT[::-1], {"ETag": '"two"'}
    fetch(copy)
    assert files("out") == {"animals.zip": CONTENT[::-1]}


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}])
def test_without_a_version_or_a_checksum_nothing_is_pieced_together(headers, server, fetch):
    server.headers, server.faults = headers, ["break"]
    fetch({"address": server.address("animals.zip")})
    assert files("out") == {"animals.zip": CONTENT}
    assert server.ranges == [None, None]


@pytest.mark.parametrize("headers", [{"Last-Modified": "Sun, 01 Jan 2017 00:00:00 GMT"}, {}])
def test_a_date_or_a_checksum_is_enough_to_go_on(headers, server, fetch):
    server.headers, server.faults = headers, ["break"]
    fetch({"address": server.address("animals.zip"), "sha256": DIGEST})
    assert files("out") == {"animals.zip": CONTENT}
    assert server.ranges == [None, f"bytes={len(CONTENT) // 2}-"]


def test_a_server_that_knows_no_ranges_starts_over(server, fetch):
    server.knows_ranges, server.faults = False, ["break", "break"]
    fetch({"address": server.address("animals.zip"), "sha256": DIGEST})
    assert files("out") == {"animals.zip": CONTENT}
    assert server.ranges == [None, f"bytes={len(CONTENT) // 2}-", f"bytes={len(CONTENT) // 2}-"]


def keep_part(server, content):
    """Leave what an earlier run would: `content` as what arrived of animals.zip."""
    Path("work/download").mkdir(parents=True)
    Path("work/download/animals.zip.part").write_bytes(content)
    Path("work/download/animals.zip.part.version").write_text(f"{server.address('animals.zip')}\n{ETAG}")


def test_a_file_that_had_arrived_whole_is_not_fetched_again(server, fetch):
    keep_part(server, CONTENT)
    fetch({"address": server.address("animals.zip"), "sha256": DIGEST})
    assert files("out") == {"animals.zip": CONTENT}
    assert server.ranges == [f"bytes={len(CONTENT)}-"]


def test_a_part_longer_than_the_file_is_dropped(server, fetch):
    keep_part(server, CONTENT + b"more")
    fetch({"address": server.address("animals.zip"), "sha256": DIGEST})
    assert files("out") == {"animals.zip": CONTENT}
    assert server.ranges == [f"bytes={len(CONTENT) + 4}-", None]


def test_a_part_from_another_address_is_dropped(server, fetch):
    keep_part(server, b"other")
    fetch({"address": server.address("other/animals.zip")})
    assert files("out") == {"animals.zip": CONTENT}
    assert server.ranges == [None]


@pytest.mark.parametrize(
    ("copy", "content", "cause"),
    [
        ({"bytes": len(CONTENT)}, CONTENT[:-1], "has 1023999 bytes, not 1024000 as the manifest says"),
        ({"bytes": 1000}, CONTENT, MORE),
        (
            {"sha256": DIGEST},
            b"1234",
            f"has sha256 {hashlib.sha256(b'1234').hexdigest()}, not {DIGEST} as the manifest says",
        ),
        ({"bytes": len(CONTENT)}, HTML, "is an HTML page (a login or an error?), not animals.zip"),
    ],
    ids=["cut short", "too long", "another checksum", "html"],
)
def test_what_is_not_what_the_manifest_says_is_not_kept(copy, content, cause, server, failure, tmp_path):
    server.content = content
    address = server.address("animals.zip")
    correct = f"run again, or, if that is right, correct {tmp_path}/small.yaml"
    assert failure({"address": address, **copy}) == f"{address}: {cause}{'' if cause == MORE else f'; {correct}'}"
    assert files("work") == {}


def test_a_damaged_part_is_dropped_and_the_next_run_succeeds(server, fetch, failure):
    copy = {"address": server.address("animals.zip"), "sha256": DIGEST}
    keep_part(server, b"damaged")
    assert "has sha256" in failure(copy)
    fetch(copy)
    assert files("out") == {"animals.zip": CONTENT}


def test_a_missing_file_is_not_asked_for_twice(server, failure):
    server.faults = [404]
    address = server.address("animals.zip")
    assert failure({"address": address}) == f"{address}: answers 404 Not Found"
    assert server.ranges == [None]


def test_the_second_address_is_tried_when_the_first_fails(server, fetch):
    server.faults = [404]
    fetch({"address": server.address("first.zip")}, {"address": server.address("second.zip")})
    assert files("out") == {"second.zip": CONTENT}


def test_no_address_leads_away_from_https(server, failure):
    server.faults = ["redirect"]
    address = server.address("animals.zip")
    assert (
        failure({"address": address})
        == f"{address}: leads away from https:// (No connection adapters were found for 'http://127.0.0.1:1/elsewhere')"
    )


def test_a_certificate_that_nobody_vouches_for(server, failure, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    address = server.address("animals.zip")
    assert failure({"address": address}).startswith(
        f"{address}: cannot be fetched ([SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"
    )


def test_without_a_network_the_command_prints_one_line(fetch, monkeypatch, capfd):
    monkeypatch.setattr(transfer, "WAITS", (0,))
    address = "https://127.0.0.1:1/animals.zip"  # nothing listens on port 1
    with pytest.raises(SystemExit) as caught:
        run(lambda: fetch({"address": address}))
    assert caught.value.code == 1
    assert capfd.readouterr() == (
        "",
        f"error: {address}: cannot be fetched (Failed to establish a new connection: "
        f"[Errno {errno.ECONNREFUSED}] Connection refused); "
        "see that the address is right and can be reached from here, or set THAW_MIRROR=FOLDER to a folder that holds "
        "animals.zip\n",
    )
    assert not Path("out").exists()


def packed(suffix):
    """An archive of two pictures that do not compress, or a file of weights."""
    content, pictures = io.BytesIO(), {name: random.Random(name).randbytes(100_000) for name in ("a.jpg", "b.jpg")}
    if suffix == "zip":
        with zipfile.ZipFile(content, "w") as archive:
            for name, picture in pictures.items():
                archive.writestr(name, picture)
    elif suffix == "h5":
        with h5py.File(content, "w") as weights:
            weights["layer"] = list(pictures["a.jpg"])
    else:
        with tarfile.open(fileobj=content, mode=f"w:{suffix[4:]}") as archive:
            for name, picture in pictures.items():
                member = tarfile.TarInfo(name)
                member.size = len(picture)
                archive.addfile(member, io.BytesIO(picture))
    return content.getvalue()


PACKED = ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"]


@pytest.mark.parametrize("suffix", [*PACKED, "h5"])
def test_what_is_of_unknown_size_and_ends_early_is_not_taken_for_whole(suffix, server, fetch, failure, tmp_path, capfd):
    server.content, server.faults = packed(suffix), ["cut"]
    address = server.address(f"animals.{suffix}")
    half = hashlib.sha256(server.content[: len(server.content) // 2]).hexdigest()
    assert failure({"address": address}) == (
        f"{address}: ends early or is damaged (its sha256 is {half}); run again, or, if that is right, correct "
        f"{tmp_path}/small.yaml"
    )
    assert files("work") == {}
    server.faults = ["open"]
    fetch({"address": address})
    assert files("out") == {f"animals.{suffix}": server.content}
    digest = hashlib.sha256(server.content).hexdigest()
    assert f"{address}: has sha256 {digest}; written into {tmp_path}/small.yaml, it" in capfd.readouterr().err


def test_a_tar_that_is_cut_between_two_members_is_not_taken_for_whole(server, failure):
    server.content = packed("tar")[: 2 * (tarfile.BLOCKSIZE + 10**5 // tarfile.BLOCKSIZE * tarfile.BLOCKSIZE + 512)]
    with tarfile.open(fileobj=io.BytesIO(server.content)) as archive:
        assert archive.getnames() == ["a.jpg", "b.jpg"]
    assert "ends early or is damaged" in failure({"address": server.address("animals.tar")})


def test_a_connection_that_ends_without_a_word_is_no_end(server, fetch):
    server.faults = ["drop"]
    fetch({"address": server.address("animals.bin")})
    assert files("out") == {"animals.bin": CONTENT}
    assert server.ranges == [None, f"bytes={len(CONTENT) // 2}-"]


def test_a_connection_that_ends_without_a_word_each_time_is_refused(server, failure):
    server.headers, server.faults = {}, ["leave"] * 3
    address = server.address("animals.bin")
    assert failure({"address": address}) == (
        f"{address}: cannot be fetched (the connection ends, and the server has not said that this was all)"
    )


@pytest.mark.parametrize("known", [{"bytes": len(CONTENT)}, {"sha256": DIGEST}])
def test_what_the_manifest_vouches_for_may_end_without_a_word(known, server, fetch):
    server.headers, server.faults = {}, ["leave"]
    fetch({"address": server.address("animals.bin"), **known})
    assert files("out") == {"animals.bin": CONTENT}
    assert server.ranges == [None]


def test_another_file_than_before_is_warned_of(server, fetch, tmp_path, capfd):
    address = server.address("animals.bin")
    fetch({"address": address})
    server.content = CONTENT[::-1]
    fetch({"address": address})
    found = hashlib.sha256(CONTENT[::-1]).hexdigest()
    assert capfd.readouterr().err == (
        f"{address}: has sha256 {DIGEST}; written into {tmp_path}/small.yaml, it lets nothing else pass\n"
        f"warning: {address}: is another file than before, of sha256 {found} in place of {DIGEST}; "
        "all that depends on it is computed anew\n"
    )


def test_a_half_copied_file_in_the_mirror_is_not_taken(failure, tmp_path, monkeypatch):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/animals.zip").write_bytes(packed("zip")[:-9])
    monkeypatch.setenv("THAW_MIRROR", "mirror")
    assert failure({"path": "animals.zip"}).startswith("mirror/animals.zip: ends early or is damaged (")


def test_several_mirrors_as_in_path(fetch, tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "two/animals.zip").write_bytes(CONTENT)
    monkeypatch.setenv("THAW_MIRROR", os.pathsep.join(["one", "two"]))
    fetch({"name": "animals.zip", "sha256": DIGEST})
    assert files("out") == {"animals.zip": CONTENT}


def test_a_path_in_the_home_folder(fetch, tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/mine.zip").write_bytes(CONTENT)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    fetch({"path": "~/mine.zip"})
    assert files("out") == {"mine.zip": CONTENT}
