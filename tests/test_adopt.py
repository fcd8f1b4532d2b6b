"""Pictures of one's own: from a folder or an archive to a manifest and schedules."""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import short_study as short
import warm_python
import yaml
from PIL import Image

from stages import adopt, download
from stages.common import configuration, manifest, params
from stages.common.command import ThawError

ROOT = Path(__file__).parent.parent
SIZE = 24
FRUIT = {"ripe": 6, "unripe": 5}


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    """A repository's folder, in which there are pictures and no network."""
    here = tmp_path / "thaw"
    (here / "data/embedded").mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", here)
    for name in ("embedded.yaml", "photos.yaml"):
        shutil.copy(ROOT / "data" / name, here / "data")
    for weights in (ROOT / "data/embedded").glob("*.h5"):
        shutil.copy(weights, here / "data/embedded")
    monkeypatch.chdir(here)
    monkeypatch.delenv("THAW_MIRROR", raising=False)


@pytest.fixture
def pictures(tmp_path):
    """The folder of the pictures, and a way to draw one: `draw("ripe/1.png", seed)`."""
    folder = tmp_path / "fruit"

    def draw(path: str, seed: int | None = None) -> Path:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(drawing(hash_of(path) if seed is None else seed))
        return target

    draw.folder = folder
    return draw


def hash_of(path: str) -> int:
    return zlib.crc32(path.encode())


def drawing(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def draw_fruit(draw, top="", counts=FRUIT):
    for name, count in counts.items():
        for number in range(count):
            draw(f"{top}{name}/{number}.png")


def adopted(*arguments):
    adopt.main([*map(str, arguments), "--backbone", "embedded"])
    settings = params.load()
    return configuration.read(Path(settings.source), settings), settings


def refusal(*arguments):
    """The one line of what is refused; nothing has been written."""
    before = {path: path.read_bytes() for path in [Path("params.yaml"), *Path("data").glob("*.yaml")]}
    with pytest.raises(ThawError) as caught:
        adopt.main([*map(str, arguments), "--backbone", "embedded"])
    assert before == {path: path.read_bytes() for path in [Path("params.yaml"), *Path("data").glob("*.yaml")]}
    return str(caught.value)


def test_a_folder_becomes_a_manifest_and_four_schedules(pictures, capsys):
    draw_fruit(pictures)
    inputs, settings = adopted(pictures.folder)
    dataset = inputs.dataset("fruit")
    assert dataset.classes == {"ripe": "ripe", "unripe": "unripe"}
    assert dataset.images == FRUIT
    assert (dataset.split.folder, dataset.split.validation_share, dataset.split.seed) == (".", 0.2, 1)
    assert settings.local == {"fruit": str(pictures.folder)}
    assert settings.downloads == ["weights"]
    assert settings.fine.from_layer == 100  # the embedded network is a MobileNetV2 too
    assert settings.budget == {"fruit": 20}
    assert list(settings.variants) == [
        "fruit-20-0",
        "fruit-5-15",
        "fruit-5-15-cosine",
        "fruit-0-20",
    ]
    rates = {name: settings.of(each) for name, each in settings.variants.items()}
    assert {each.transfer.learning_rate for each in rates.values()} == {1e-3}
    assert {name: each.fine.decay for name, each in rates.items() if each.fine.decay != "none"} == {
        "fruit-5-15-cosine": "cosine"
    }
    assert {(each.fine.optimizer, each.fine.learning_rate) for each in rates.values()} == {("adam", 1e-4)}
    assert settings.fine.batch_norm == "moving"
    assert settings.schedule == settings.variants["fruit-20-0"]
    assert (settings.seeds, settings.repeats) == ([1], None)
    assert settings.batch_size == 9  # 5 of 6 and 4 of 5 train
    told = capsys.readouterr().out
    assert "next: make repro" in told
    assert (
        "transfer.learning_rate: 0.001\nfine.optimizer: adam\nfine.learning_rate: 0.0001\nfine.batch_norm: moving\n"
        in told
    )
    assert "uneven" not in told


def test_uneven_classes_and_repeats(pictures, capsys):
    draw_fruit(pictures, counts={"ripe": 13, "unripe": 6})
    _, settings = adopted(pictures.folder, "--repeats", 3)
    assert (settings.seeds, settings.repeats) == ([1, 2, 3], None)
    assert "the classes are uneven: `class_weight: balanced` in params.yaml" in capsys.readouterr().out


def test_params_keep_their_comments_and_every_other_line(pictures):
    draw_fruit(pictures, counts={"ripe": 40, "unripe": 40})
    before = Path("params.yaml").read_text(encoding="utf-8")
    adopted(pictures.folder, "--budget", 4)
    after = Path("params.yaml").read_text(encoding="utf-8")
    changed = {"source", "downloads", "local", "budget", "variants", "schedule", "seeds", "repeats"}
    old, new = yaml.safe_load(before), yaml.safe_load(after)
    old["transfer"] |= {"learning_rate": 1e-3}
    old["fine"] |= {"optimizer": "adam", "learning_rate": 1e-4, "batch_norm": "moving"}
    assert {key: value for key, value in old.items() if key not in changed}.items() <= new.items()
    comments = [line for line in before.splitlines() if line.startswith("#")]
    assert [line for line in after.splitlines() if line.startswith("#")] == comments


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_an_archive_of_any_kind_gives_what_its_folder_gives(pictures, tmp_path, suffix):
    draw_fruit(pictures, top="all of it/")
    archive = tmp_path / f"packed.{suffix}"
    if suffix == "zip":
        with zipfile.ZipFile(archive, "w") as opened:
            for path in pictures.folder.rglob("*.png"):
                opened.write(path, path.relative_to(pictures.folder))
    else:
        with tarfile.open(archive, f"w:{suffix[4:]}") as opened:
            opened.add(pictures.folder, arcname=".")
    of_folder, _ = adopted(pictures.folder)
    of_archive, settings = adopted(archive)
    assert of_archive.dataset("packed").model_dump(exclude={"title"}) == of_folder.dataset("fruit").model_dump(
        exclude={"title"}
    )
    assert of_archive.dataset("packed").split.folder == "all of it"
    assert settings.local == {"packed": str(archive)}


@pytest.mark.parametrize(
    ("train", "val"), [("train", "val"), ("Training", "validation"), ("train", "valid"), ("a/train", "a/val")]
)
def test_parts_stay_as_they_are_shipped(pictures, capsys, train, val):
    draw_fruit(pictures, top=f"{train}/")
    draw_fruit(pictures, top=f"{val}/", counts={"ripe": 2, "unripe": 3})
    draw_fruit(pictures, top=f"{Path(train).parent}/test/", counts={"ripe": 1})
    inputs, _ = adopted(pictures.folder)
    dataset = inputs.dataset("fruit")
    assert (dataset.split.training, dataset.split.validation) == (train, val)
    assert dataset.images.training == FRUIT
    assert dataset.images.validation == {"ripe": 2, "unripe": 3}
    assert "test, whose classes are not those of the training part (pictures: 1)\n" in capsys.readouterr().out


@pytest.mark.parametrize("shipped", [True, False])
def test_a_test_part_with_all_classes_is_carried_through(pictures, shipped):
    draw_fruit(pictures, top="train/")
    draw_fruit(pictures, top="Test/", counts={"ripe": 2, "unripe": 1})
    pictures("Test/ripe/again.png", seed=hash_of("train/ripe/0.png"))
    if shipped:
        draw_fruit(pictures, top="val/", counts={"ripe": 2, "unripe": 3})
    inputs, settings = adopted(pictures.folder)
    dataset = inputs.dataset("fruit")
    assert (dataset.test.folder, dataset.test.images) == ("Test", {"ripe": 2, "unripe": 1})
    assert dataset.leave_out == {"Test/ripe/again.png": "the same picture as train/ripe/0.png"}
    assert (dataset.images.training if shipped else dataset.images) == FRUIT
    assert settings.batch_size == (11 if shipped else 9)


def test_names_of_any_script_with_spaces_and_of_numbers(pictures):
    names = [
        "grün und blau",
        "写真 猫",
        "кошка",
        "yes",
        "2020",
        "1e5",
        "no\u00a0break",
        "\u3000wide",
        "at the end\u00a0",
    ]
    for name in names:
        for number in range(3):
            pictures(f"{name}/{number}.png", seed=hash_of(f"{names.index(name)}{number}"))
    inputs, _ = adopted(pictures.folder)
    classes = inputs.dataset("fruit").classes
    assert classes == {" ".join(name.split()): name for name in sorted(names)}


def test_what_cannot_be_read_and_what_is_there_twice_is_left_out_by_name(pictures, capsys):
    draw_fruit(pictures)
    (pictures.folder / "ripe/cut.png").write_bytes(drawing(1)[:-40])
    (pictures.folder / "ripe/Thumbs.db").write_bytes(b"no picture")
    (pictures.folder / "ripe/notes.txt").write_text("no picture")
    pictures("ripe/copy.png", seed=hash_of("ripe/1.png"))
    pictures("ripe/both.png", seed=77)
    pictures("unripe/both.png", seed=77)
    inputs, _ = adopted(pictures.folder)
    dataset = inputs.dataset("fruit")
    assert dataset.images == FRUIT
    assert set(dataset.leave_out) == {"ripe/cut.png", "ripe/copy.png", "ripe/both.png", "unripe/both.png"}
    assert dataset.leave_out["ripe/cut.png"].startswith("cannot be read: ")
    assert dataset.leave_out["ripe/copy.png"] == "the same picture as ripe/1.png"
    assert dataset.leave_out["ripe/both.png"] == "the same picture is in ripe and unripe"
    told = capsys.readouterr().out
    assert "left out: unripe/both.png: the same picture is in ripe and unripe" in told
    assert "ignored: files that are not pictures (2)\n" in told


def test_a_picture_of_both_parts_leaves_validation(pictures):
    draw_fruit(pictures, top="train/")
    draw_fruit(pictures, top="val/")
    pictures("train/ripe/a.png", seed=5)
    pictures("val/ripe/b.png", seed=5)
    inputs, _ = adopted(pictures.folder)
    assert inputs.dataset("fruit").leave_out == {"val/ripe/b.png": "the same picture as train/ripe/a.png"}


def draw_nearly_equal(pictures):
    pixels = np.kron(np.random.default_rng(3).integers(0, 256, (6, 6, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    for name, quality in (("x", 95), ("y", 40)):
        Image.fromarray(pixels).save(pictures.folder / f"ripe/{name}.jpg", quality=quality)


def test_nearly_equal_pictures_are_counted_and_named(pictures, capsys):
    draw_fruit(pictures)
    draw_nearly_equal(pictures)
    adopted(pictures.folder)
    warning = capsys.readouterr().err
    assert "some pairs of pictures are nearly equal and may come into different parts, which would make" in warning
    assert "(pairs: 1); --group REGEX keeps related pictures in one part, or leave one of each pair out: " in warning
    assert "\nnearly equal: ripe/x.jpg and ripe/y.jpg\n" in warning


def test_one_of_a_pair_that_is_left_out_by_hand_is_not_warned_of_again(pictures, capsys):
    draw_fruit(pictures)
    draw_nearly_equal(pictures)
    adopted(pictures.folder)
    path = Path("data/fruit.yaml")
    written = yaml.safe_load(path.read_text())
    written["datasets"]["fruit"]["leave_out"] = {"ripe/y.jpg": "as good as ripe/x.jpg"}
    path.write_text(yaml.safe_dump(written, sort_keys=False))
    capsys.readouterr()
    adopt.main(["--update", "fruit"])
    told = capsys.readouterr()
    assert "left out: ripe/y.jpg: as good as ripe/x.jpg\n" in told.out
    assert "nearly equal" not in told.err


def test_a_group_is_written_and_kept_together(pictures, capsys):
    for name in FRUIT:
        for patient in range(6):
            for view in range(3):
                pictures(f"{name}/{patient}-{view}.png", seed=hash_of(f"{name[0]}{patient}{view}"))
    inputs, _ = adopted(pictures.folder, "--group", r"([^/]+/\d+)-")
    assert inputs.dataset("fruit").split.group == r"([^/]+/\d+)-"
    told = capsys.readouterr()
    assert "groups: 12, from 36 pictures (the largest: ripe/0, 3 pictures)" in told.out
    assert "--group" not in told.err


def test_a_group_that_keeps_nothing_together_is_warned_of(pictures, capsys):
    draw_fruit(pictures)
    adopted(pictures.folder, "--group", r"\w+/\d+")
    told = capsys.readouterr().err
    assert r"--group: '\w+/\d+' keeps no two pictures together, e.g. ripe/0.png gives ripe/0; use" in told


def test_what_is_refused_says_what_to_do(pictures, tmp_path):
    folder = pictures.folder
    assert refusal(tmp_path / "nowhere").endswith("there is no such folder or archive; name an existing one")
    pictures("ripe/0.png")
    assert "holds only one class, 'ripe'; put the pictures of each of at least two classes into a folder" in refusal(
        folder
    )
    pictures("unripe/0.png")
    pictures("unripe/1.png")
    assert "only 1 of the pictures of 'ripe' can be used, but a class needs at least 2, one to train" in refusal(folder)
    pictures("ripe/1.png")
    assert "with 0.2, none of the 2 pictures of 'ripe' would validate" in refusal(folder)
    assert refusal(folder, "--validation-share", 1.5) == "--validation-share: must be between 0 and 1, not 1.5"
    assert refusal(folder, "--validation-share", 0.5, "--budget", 0) == "--budget: must be at least 1 epoch, not 0"
    assert "--group: 'zzz' matches none of the paths" in refusal(folder, "--validation-share", 0.5, "--group", "zzz")
    assert "contains this repository" in refusal(tmp_path)
    adopted(folder, "--validation-share", 0.5)
    assert refusal(folder) == (
        "data/fruit.yaml: already exists; give another --name, or `python -m stages.adopt --update fruit` if its "
        "pictures have changed"
    )
    assert refusal(folder, "--name", "photos") == "data/photos.yaml: already exists; give another --name"


def test_a_part_that_lacks_a_class_is_refused(pictures):
    draw_fruit(pictures, top="train/")
    draw_fruit(pictures, top="val/", counts={"ripe": 2})
    assert "val has no pictures of 'unripe', which another part has" in refusal(pictures.folder)


def test_more_classes_than_a_thousand_are_refused(pictures):
    for number in range(1001):
        (pictures.folder / str(number)).mkdir(parents=True)
        (pictures.folder / str(number) / "0.png").write_bytes(b"")
    assert "holds 1001 folders of pictures, and a data set has at most 1000 classes" in refusal(pictures.folder)


def test_weights_that_cannot_be_had_name_the_ways_out(pictures, monkeypatch):
    draw_fruit(pictures)
    monkeypatch.setattr("stages.sources.transfer.WAITS", ())
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # the discard port, where nobody listens
    with pytest.raises(ThawError) as caught:
        adopt.main([str(pictures.folder)])
    assert str(caught.value).startswith("--backbone: the weights cannot be fetched (")
    assert str(caught.value).endswith("or use the repository's small network: --backbone embedded")
    assert not Path("data/fruit.yaml").exists()


def test_weights_of_a_mirror_are_written_down_with_their_checksum(pictures, tmp_path, monkeypatch):
    draw_fruit(pictures)
    content = b"weights of a network whose checksum nobody has told"
    described = {"backbone": {"name": "VGG16", "arguments": {}, "image_size": 64}}
    described["weights"] = {"copies": [{"address": "https://127.0.0.1/vgg16.h5"}]}
    monkeypatch.setattr("stages.own.networks.described", lambda name: described)
    monkeypatch.setenv("THAW_MIRROR", str(tmp_path))
    (tmp_path / "vgg16.h5").write_bytes(content)
    adopt.main([str(pictures.folder), "--backbone", "VGG16"])
    (copy,) = manifest.load(Path("data/fruit.yaml")).download("weights").copies
    assert (copy.bytes, copy.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_a_network_of_one_s_own_is_written_with_its_size_and_its_checksum(pictures, tmp_path, capsys):
    from stages.network.keras_quietly import keras

    draw_fruit(pictures)
    pixels = keras.Input((48, 48, 3))
    path = tmp_path / "mine.keras"
    keras.Model(pixels, keras.layers.Conv2D(4, 3)(pixels)).save(path)
    adopt.main([str(pictures.folder), "--backbone", str(path)])
    written = manifest.load(Path("data/fruit.yaml"))
    assert (written.backbone.file, written.backbone.image_size) == ("mine.keras", 48)
    assert (written.backbone.scale, written.backbone.offset) == (1 / 127.5, -1)
    (copy,) = written.download("weights").copies
    assert (copy.path, copy.sha256) == (str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    assert params.load().fine.from_layer == 0.65
    assert "from_layer: 0.65  # the share of frozen layers, as in MobileNetV2\n" in Path("params.yaml").read_text()
    assert "backbone: mine.keras takes pictures of 48 by 48 pixels, which Thaw scales to -1 to 1; if that is wrong" in (
        capsys.readouterr().out
    )


def test_a_network_that_scales_its_pixels_gets_them_as_they_are(pictures, tmp_path):
    from stages.network.keras_quietly import keras

    draw_fruit(pictures)
    pixels = keras.Input((48, 48, 3))
    scaled = keras.layers.Rescaling(1 / 255)(pixels)
    keras.Model(pixels, keras.layers.Conv2D(4, 3)(scaled)).save(tmp_path / "mine.keras")
    adopt.main([str(pictures.folder), "--backbone", str(tmp_path / "mine.keras")])
    backbone = manifest.load(Path("data/fruit.yaml")).backbone
    assert (backbone.scale, backbone.offset) == (1, 0)


def test_a_network_that_is_no_backbone_is_refused_before_anything_is_written(pictures, tmp_path):
    draw_fruit(pictures)
    (tmp_path / "mine.keras").write_bytes(b"no network")
    for path, cause in ((tmp_path / "mine.keras", "not a network in"), (tmp_path / "no.keras", "there is no such")):
        with pytest.raises(ThawError, match=cause):
            adopt.main([str(pictures.folder), "--backbone", str(path)])
    assert not Path("data/fruit.yaml").exists()


def test_an_update_takes_the_pictures_of_now_and_keeps_the_rest(pictures):
    path = Path("data/fruit.yaml")
    draw_fruit(pictures)
    adopted(pictures.folder, "--seed", 7, "--validation-share", 0.3)
    changed = yaml.safe_load(path.read_text())
    changed["datasets"]["fruit"] |= {"licence": "CC0", "limits": {"pixels": 10000}}
    changed["datasets"]["fruit"]["split"]["folds"] = 3
    path.write_text(yaml.safe_dump(changed, sort_keys=False))
    before = manifest.load(path)
    pictures("ripe/new.png")
    adopt.main(["--update", "fruit"])
    after = manifest.load(path)
    assert after.dataset("fruit").images == {"ripe": 7, "unripe": 5}
    assert after.dataset("fruit").licence == "CC0"
    assert after.dataset("fruit").limits.pixels == 10000
    assert after.dataset("fruit").split == before.dataset("fruit").split
    assert after.backbone == before.backbone
    assert after.download("fruit") != before.download("fruit")


def test_an_archive_that_changed_is_refused_with_the_update_that_takes_it(pictures, tmp_path):
    def pack(*more):
        for path in more:
            pictures(path)
        shutil.make_archive(str(tmp_path / "packed"), "zip", pictures.folder)

    def downloaded():
        download.main(["--source", "data/packed.yaml", "--name", "packed", "--out", "raw"])

    draw_fruit(pictures)
    pack()
    adopted(tmp_path / "packed.zip")
    downloaded()
    pack("ripe/new.png")
    with pytest.raises(ThawError) as caught:
        downloaded()
    assert str(caught.value).startswith(f"{tmp_path}/packed.zip: has sha256 ")
    assert str(caught.value).endswith(
        " as the manifest says; put the right file there, or, if this one is right, correct data/packed.yaml "
        "(`python -m stages.adopt --update packed` does so if adopt wrote it)"
    )
    adopt.main(["--update", "packed"])
    downloaded()
    assert manifest.load(Path("data/packed.yaml")).dataset("packed").images == {"ripe": 7, "unripe": 5}
    (tmp_path / "packed.zip").unlink()
    for stage in (downloaded, lambda: adopt.main(["--update", "packed"])):
        with pytest.raises(
            ThawError, match=r"packed\.zip: is not there; bring it back, or correct its path in data/pack"
        ):
            stage()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The first two of the three commands, on a folder of drawings; returns the study and the folder."""
    folder = tmp_path_factory.mktemp("own")
    study, fruit = folder / "study", folder / "my fruit"
    study.mkdir()
    short.copy(study)
    short.commit(study)
    for name, shade in (("rot", 200), ("grün", 60)):
        (fruit / name).mkdir(parents=True)
        for number in range(8):
            noise = np.random.default_rng(number + shade).integers(0, 50, (96, 96, 3))
            Image.fromarray((shade + noise).astype(np.uint8)).save(fruit / name / f"{number}.png")
    arguments = ("--budget", "1", "--backbone", "embedded")
    short.run(study, sys.executable, "-m", "stages.adopt", str(fruit), *arguments)
    short.dvc(study, "repro")
    return study, fruit


def predictions(study, *arguments):
    command = [str(warm_python.folder() / "python"), "-m", "stages.predict", *map(str, arguments)]
    return subprocess.run(command, cwd=study, capture_output=True, text=True, check=False)


def test_a_trained_model_names_the_classes_of_pictures(study):
    folder, fruit = study
    ran = predictions(folder, fruit / "rot/1.png", fruit / "gr*/2.png", folder / "params.yaml", "nowhere.jpg")
    assert ran.returncode == 1
    header, *rows = ran.stdout.splitlines()
    assert header == "file,class,probability,second,second_probability"
    assert [Path(row.split(",")[0]) for row in rows] == [fruit / "rot/1.png", fruit / "grün/2.png"]
    for row in rows:
        _, first, probability, second, other = row.split(",")
        assert {first, second} == {"rot", "grün"}
        assert float(probability) + float(other) == pytest.approx(1, abs=1e-4)  # of four digits each
        assert float(probability) >= float(other)
    recommended = json.loads((folder / "plots/answer/answer.json").read_text())["my_fruit"]["variant"]
    assert ran.stderr.startswith(f"model: models/{recommended}/model.keras\n")
    assert "error: nowhere.jpg: no such file" in ran.stderr
    assert "params.yaml: not one of" in ran.stderr


FRESH = """
import json, sys
import numpy as np, keras
model, picture = sys.argv[1:]
told = json.load(open(model.replace("best.keras", "classes.json"), encoding="utf-8"))
size = (told["image_size"],) * 2
pixels = keras.utils.img_to_array(keras.utils.load_img(picture, target_size=size))[np.newaxis]
logit = float(keras.saving.load_model(model).predict(pixels, verbose=0)[0, 0])
print(json.dumps({"class": told["classes"][int(logit > 0)], "probability": 1 / (1 + np.exp(-abs(logit)))}))
"""


def test_keras_alone_gives_the_same_numbers(study):
    folder, fruit = study
    model = folder / "models/my_fruit-0-1/best.keras"
    row = predictions(folder, "--model", model, fruit / "rot/3.png").stdout.splitlines()[1].split(",")
    ran = subprocess.run(
        [sys.executable, "-c", FRESH, model, fruit / "rot/3.png"], cwd=fruit, capture_output=True, text=True, check=True
    )
    fresh = json.loads(ran.stdout.splitlines()[-1])
    assert fresh["class"] == row[1]
    assert fresh["probability"] == pytest.approx(float(row[2]), abs=1e-4)  # the picture has the size already


def test_a_changed_folder_is_noticed_and_taken_by_update(study):
    folder, fruit = study
    assert "local@my_fruit" not in short.ran(short.dvc(folder, "repro", "split@my_fruit"))
    (fruit / "rot/0.png").write_bytes((fruit / "rot/0.png").read_bytes() + b"\0")  # the same pixels, other bytes
    (fruit / "rot/new.png").write_bytes((fruit / "rot/1.png").read_bytes()[:-1] + b"\0")
    with pytest.raises(AssertionError, match=r"1 new, e\.g\. rot/new\.png; 1 changed, e\.g\. rot/0\.png\); if they"):
        short.dvc(folder, "repro", "split@my_fruit")
    short.run(folder, sys.executable, "-m", "stages.adopt", "--update", "my_fruit")
    assert short.ran(short.dvc(folder, "repro", "split@my_fruit")) == ["local@my_fruit", "split@my_fruit"]
