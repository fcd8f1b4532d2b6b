"""Manifests: what they say is read as it stands, and each mistake is told in one line."""

import inspect
from pathlib import Path, PurePosixPath

import pytest

from stages.common import manifest
from stages.common.command import ThawError
from stages.common.manifest import Copy, Place
from stages.common.params import TRIAL
from stages.pages import facts

REMOVED = object()
DIGEST = "0123456789abcdef" * 4


def change(content, keys, value):
    """Set or remove what the dotted `keys` lead to; numbers are positions in lists."""
    *way, last = (int(key) if key.isdecimal() else key for key in keys.split("."))
    for key in way:
        content = content[key]
    if value is REMOVED:
        del content[last]
    else:
        content[last] = value


@pytest.fixture
def message(told):
    """The message of a manifest that is refused, without the file in front."""

    def refused(path, name=None):
        with pytest.raises(ThawError) as caught:
            manifest.load(path)
        text = str(caught.value)
        told("manifests", text, name)
        assert text.startswith(f"{path}: ")
        return text.removeprefix(f"{path}: ")

    return refused


def test_places_of_both_kinds_of_split(small_manifest, write_manifest):
    read = manifest.load(write_manifest(small_manifest))
    assert read.dataset("animals").places() == [
        Place(PurePosixPath("animals/train/cats"), 0, "training", 2),
        Place(PurePosixPath("animals/train/dogs"), 1, "training", 2),
        Place(PurePosixPath("animals/validation/cats"), 0, "validation", 1),
        Place(PurePosixPath("animals/validation/dogs"), 1, "validation", 1),
    ]
    assert read.dataset("flowers").places() == [
        Place(PurePosixPath("flowers/roses"), 0, None, 5),
        Place(PurePosixPath("flowers/tulips"), 1, None, 4),
    ]


def test_three_classes_in_folders_of_their_own_choice(small_manifest, write_manifest):
    flowers = small_manifest["datasets"]["flowers"]
    flowers["classes"] = {"asters": "z/asters", "roses": "a", "lilies": "Lilien (weiß)"}
    flowers["images"] = {"roses": 5, "asters": 6, "lilies": 7}
    flowers["split"]["folder"] = "."
    assert manifest.load(write_manifest(small_manifest)).dataset("flowers").places() == [
        Place(PurePosixPath("z/asters"), 0, None, 6),
        Place(PurePosixPath("a"), 1, None, 5),
        Place(PurePosixPath("Lilien (weiß)"), 2, None, 7),
    ]


@pytest.mark.parametrize(
    ("copy", "name"),
    [
        ({"address": "https://example.org/a/b.zip?version=3#top"}, "b.zip"),
        ({"address": "https://example.org/a%20b.zip"}, "a b.zip"),
        ({"address": "file:///a/b.tgz"}, "b.tgz"),
        ({"path": "embedded/c.zip"}, "c.zip"),
        ({"name": "Fotos größer.zip", "sha256": DIGEST.upper()}, "Fotos größer.zip"),
    ],
)
def test_file_name_of_a_copy(copy, name):
    assert Copy(**copy).file_name == name


def test_checksum_is_compared_in_lower_case():
    assert Copy(name="a.zip", sha256=DIGEST.upper()).sha256 == DIGEST


def test_unknown_names_are_answered_with_the_known_ones(small_manifest, write_manifest):
    path = write_manifest(small_manifest)
    read = manifest.load(path)
    with pytest.raises(ThawError) as caught:
        read.dataset("cats_dogs")
    assert str(caught.value) == f"{path}: datasets: there is no 'cats_dogs'; known are animals, flowers"
    with pytest.raises(ThawError) as caught:
        read.download("cats_dogs")
    assert str(caught.value) == f"{path}: downloads: there is no 'cats_dogs'; known are animals, flowers, weights"


MISTAKES = [
    ("title", REMOVED, "missing key 'title'; add it"),
    ("titel", "x", "unknown key 'titel'; did you mean 'title'?"),
    ("backbone.image_sise", 1, "unknown key 'backbone.image_sise'; did you mean 'image_size'?"),
    ("backbone.image_size", 96.5, "backbone.image_size: Input should be a valid integer, not 96.5"),
    (
        "backbone.image_size",
        96000,
        "backbone.image_size: Input should be less than or equal to 4096, not 96000",
    ),
    ("backbone.arguments.alpha", [1], "backbone.arguments.alpha: must be a number, a text, true or false"),
    (
        "backbone.arguments.weights",
        "imagenet",
        "backbone.arguments: weights: not the manifest's to choose; leave it out",
    ),
    (
        "backbone.name",
        "MobilNetV2",
        "backbone.name: must be a network of keras.applications (did you mean 'MobileNetV2'?), not 'MobilNetV2'",
    ),
    (
        "backbone.name",
        "__doc__",
        f"backbone.name: must be a network of keras.applications (known are {', '.join(manifest.BACKBONES)}), "
        "not '__doc__'",
    ),
    ("backbone", None, "backbone: must be a mapping of keys"),
    ("downloads.weights", REMOVED, "downloads: 'weights' is missing; known are animals, flowers"),
    ("downloads.animals", REMOVED, "downloads: 'animals' is missing; known are flowers, weights"),
    (
        "downloads.animals.copies",
        [],
        "downloads.animals.copies: List should have at least 1 item after validation, not 0",
    ),
    ("downloads.animals.copies.0", "x", "downloads.animals.copies.0: must be a mapping of keys, not 'x'"),
    (
        "downloads.animals.copies.0.name",
        "x",
        "downloads.animals.copies.0: a copy has exactly one of address, path and name",
    ),
    (
        "downloads.animals.copies.0",
        {"bytes": 5},
        "downloads.animals.copies.0: a copy has exactly one of address, path and name",
    ),
    (
        "downloads.animals.copies.0",
        {"name": "a.zip"},
        "downloads.animals.copies.0: a copy known by name alone needs its sha256, which vouches for a mirror's file",
    ),
    (
        "downloads.animals.copies.0.sha256",
        DIGEST[1:],
        f"downloads.animals.copies.0.sha256: must be 64 hexadecimal digits, not '{DIGEST[1:]}'",
    ),
    (
        "downloads.animals.copies.0.bytes",
        0,
        "downloads.animals.copies.0.bytes: Input should be greater than or equal to 1, not 0",
    ),
    (
        "datasets.animals.splot",
        1,
        "unknown key 'datasets.animals.splot'; did you mean 'split'?",
    ),
    ("datasets.animals.split", REMOVED, "missing key 'datasets.animals.split'; add it"),
    (
        "datasets.animals.split",
        "as shipped",
        "datasets.animals.split: must be a mapping of keys, not 'as shipped'",
    ),
    ("datasets.animals.split.validation", REMOVED, "missing key 'datasets.animals.split.validation'; add it"),
    (
        "datasets.animals.split.test",
        "x",
        "unknown key 'datasets.animals.split.test'; known here: folds, group, training, validation, seed",
    ),
    (
        "datasets.animals.split.validation_share",
        0.2,
        "missing key 'datasets.animals.split.folder'; add it",
    ),
    (
        "datasets.animals.split.folds",
        1,
        "datasets.animals.split.folds: Input should be greater than or equal to 2, not 1",
    ),
    (
        "datasets.flowers.split.group",
        "(",
        "datasets.flowers.split.group: must be a regular expression "
        "(missing ), unterminated subpattern at position 0), not '('",
    ),
    (
        "datasets.flowers.split.training",
        "x",
        "unknown key 'datasets.flowers.split.training'; known here: folds, group, folder, validation_share, seed",
    ),
    (
        "datasets.flowers.split.validation_share",
        1.0,
        "datasets.flowers.split.validation_share: Input should be less than 1, not 1.0",
    ),
    (
        "datasets.flowers.split.validation_share",
        float("nan"),
        "datasets.flowers.split.validation_share: Input should be less than 1, not nan",
    ),
    (
        "datasets.flowers.split.validation_share",
        0.1,
        "datasets.flowers: a validation_share of 0.1 leaves a part of 'roses' (5) without images",
    ),
    (
        "datasets.flowers.split.seed",
        -1,
        "datasets.flowers.split.seed: Input should be greater than or equal to 0, not -1",
    ),
    ("datasets.flowers.classes.tulips", REMOVED, "datasets.flowers: classes: a data set needs at least 2"),
    (
        "datasets.flowers.classes.tulips",
        "roses/tulips",
        "datasets.flowers: the folders flowers/roses and flowers/roses/tulips overlap; "
        "give each class and part one of its own",
    ),
    (
        "datasets.animals.split.validation",
        "animals/train",
        "datasets.animals: the folders animals/train/cats and animals/train/cats overlap; "
        "give each class and part one of its own",
    ),
    (
        "datasets.flowers.test",
        {"folder": "test", "images": {"roses": 1}},
        "datasets.flowers: test.images: counts roses, but the classes are roses, tulips",
    ),
    (
        "datasets.flowers.test",
        {"folder": "flowers", "images": {"roses": 1, "tulips": 1}},
        "datasets.flowers: the folders flowers/roses and flowers/roses overlap; give each class and part one of its "
        "own",
    ),
    (
        "datasets.flowers.images.tulpis",
        4,
        "datasets.flowers: images: counts roses, tulips, tulpis, but the classes are roses, tulips",
    ),
    (
        "datasets.animals.images.validation.dogs",
        REMOVED,
        "datasets.animals: images: counts cats, but the classes are cats, dogs",
    ),
    (
        "datasets.animals.images.training.dogs",
        "many",
        "datasets.animals.images.training.dogs: Input should be a valid integer, not 'many'",
    ),
    (
        "datasets.flowers.images.roses",
        0,
        "datasets.flowers.images.roses: Input should be greater than or equal to 1, not 0",
    ),
    (
        "datasets.flowers.images.roses",
        10**400,
        f"datasets.flowers.images.roses: Input should be less than or equal to 1000000000, not {10**400}",
    ),
    ("datasets", {}, "datasets: Dictionary should have at least 1 item after validation, not 0"),
    ("datasets.animals", [], "datasets.animals: must be a mapping of keys"),
]


@pytest.mark.parametrize(("keys", "value", "expected"), MISTAKES)
def test_mistakes_are_named(keys, value, expected, small_manifest, write_manifest, message):
    change(small_manifest, keys, value)
    name = f"no {keys}" if value is REMOVED else f"{keys}: {value!r}"
    assert message(write_manifest(small_manifest), name) == expected


@pytest.mark.parametrize("key", ["title", "datasets.animals.title", "datasets.animals.classes.cats"])
@pytest.mark.parametrize("text", ["two\nlines", "bell\a", "turned\u202e"])
def test_texts_that_are_no_line_are_refused(key, text, small_manifest, write_manifest, message):
    change(small_manifest, key, text)
    assert message(write_manifest(small_manifest), f"{key}: {text!r}").startswith(f"{key}: ")


@pytest.mark.parametrize("place", [{"path": "a/{}/b.zip"}, {"address": "https://example.org/{}/b.zip"}])
@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("%0A", "must be a text of one line, without control characters"),
        ("%00", "must be a text of one line, without control characters"),
        ("a" * 201, "must have at most 1024 bytes, 200 between two '/'"),
        ("a/" * 600, "must have at most 1024 bytes, 200 between two '/'"),
    ],
    ids=["new line", "zero", "long part", "long"],
)
def test_ways_that_no_file_system_takes_are_refused(place, text, cause, small_manifest, write_manifest, message):
    ((key, form),) = place.items()
    small_manifest["downloads"]["animals"]["copies"] = [{key: form.format(text)}]
    assert message(write_manifest(small_manifest)).startswith(f"downloads.animals.copies.0.{key}: {cause}, not ")


def test_what_has_no_end_is_cut_off_where_it_is_repeated(small_manifest, write_manifest, message):
    small_manifest["x" * 10**5] = 1
    assert len(message(write_manifest(small_manifest))) < 2000


def test_a_number_too_long_to_print(tmp_path, message):
    path = tmp_path / "small.yaml"
    path.write_text(f"title: 0x{'f' * 5000}")
    assert message(path) == (
        "title: must be a text; put it in quotes, as 'yes' or '2020', not a number of thousands of digits"
    )


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/a.zip",
        "ftp://example.org/a.zip",
        "https:///a.zip",
        "file://host/a.zip",
        "a.zip",
        "",
    ],
)
def test_addresses_of_other_schemes_are_refused(address, small_manifest, write_manifest, message):
    small_manifest["downloads"]["animals"]["copies"] = [{"address": address}]
    assert message(write_manifest(small_manifest)) == (
        f"downloads.animals.copies.0.address: must be an address https://HOST/... or file:///..., not {address!r}"
    )


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b.zip", "../a.zip", "a\\b.zip", "a\nb.zip", "a\0b"])
def test_names_that_are_no_plain_file_names_are_refused(name, small_manifest, write_manifest, message):
    small_manifest["downloads"]["animals"]["copies"] = [{"name": name, "sha256": DIGEST}]
    assert message(write_manifest(small_manifest)) == (
        "downloads.animals.copies.0: must be a plain file name, without folders and without a dot in front"
    )


def test_names_that_are_too_long_are_refused(small_manifest, write_manifest, message):
    small_manifest["downloads"]["animals"]["copies"] = [{"name": "ä" * 101, "sha256": DIGEST}]
    assert message(write_manifest(small_manifest)) == (
        "downloads.animals.copies.0: must be a file name of at most 200 bytes"
    )


@pytest.mark.parametrize("folder", ["", "/etc", "..", "a/../b", "a\\b", "a\nb"])
def test_folders_that_could_lead_elsewhere_are_refused(folder, small_manifest, write_manifest, message):
    small_manifest["datasets"]["flowers"]["classes"]["roses"] = folder
    assert message(write_manifest(small_manifest)) == (
        "datasets.flowers.classes.roses: must be a plain folder with '/' between its parts, without '..', "
        f"not {folder!r}"
    )


@pytest.mark.parametrize("name", ["two words", "../animals", "-animals", "", "ä"])
def test_data_sets_need_names_that_folders_can_have(name, small_manifest, write_manifest, message):
    small_manifest["datasets"][name] = small_manifest["datasets"]["animals"]
    assert message(write_manifest(small_manifest)) == (
        f"datasets.{name}: must be a name of letters A to Z, digits, '_' and '-', at most 200 of them, not {name!r}"
    )


def test_no_data_set_takes_the_name_of_the_weights(small_manifest, write_manifest, message):
    small_manifest["datasets"]["weights"] = small_manifest["datasets"]["animals"]
    assert message(write_manifest(small_manifest)) == (
        "datasets: 'weights' is the name of the backbone's download; choose another"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "must be a mapping of keys"),
        ("[1, 2]", "must be a mapping of keys"),
        ("title: 2024-13-45", "cannot be read as YAML ('2024-13-45' in line 1 is no timestamp); mend the file"),
        ("title: !!python/name:os.system", "cannot be read as YAML (could not determine a constructor"),
        ("[" * 2000, "cannot be read as YAML (maximum recursion depth exceeded"),
        ("title: [", "cannot be read as YAML (while parsing a flow node"),
        ('title: "\\ud800"', "cannot be read as YAML ('utf-8' codec can't encode character '\\ud800' in position 0"),
        ("title: !!int ''", "cannot be read as YAML ('' in line 1 is no int)"),
        ("title: !!bool x", "cannot be read as YAML ('x' in line 1 is no bool)"),
        ("title: !!timestamp x", "cannot be read as YAML ('x' in line 1 is no timestamp)"),
        ("a: 1\n'a': 2", "cannot be read as YAML (the key 'a' stands in line 1 and in 2); mend the file"),
        ("a: {b: {c: 1, d: 2,\n c: 3}}", "cannot be read as YAML (the key 'c' stands in line 1 and in 2)"),
        ("title: a\ndownloads: &a {animals: *a}", "missing key 'downloads.animals.copies'; add it"),
    ],
    ids="empty list no-date name recursion open surrogate no-int no-bool no-timestamp twice twice-below cycle".split(),  # noqa: SIM905
)
def test_files_that_are_no_manifest(text, expected, tmp_path, message):
    path = tmp_path / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    assert message(path).startswith(expected)


def test_bytes_that_are_no_text(tmp_path, message):
    path = tmp_path / "wrong.yaml"
    path.write_bytes(b"title: \xff\xfe")
    assert message(path).startswith("cannot be read as YAML ('utf-8' codec can't decode byte 0xff")


def test_a_missing_manifest(tmp_path, message):
    assert message(tmp_path / "none.yaml") == "no such file; name an existing one"


def test_the_manifest_of_the_photographs():
    read = manifest.load(Path(__file__).parent.parent / "data/photos.yaml")
    places = [*read.dataset("cats_dogs").places(), *read.dataset("roses_tulips").places()]
    assert [place.images for place in places] == [1000, 1000, 500, 500, 641, 799]
    assert read.backbone.name == "MobileNetV2"


def test_the_manifest_of_the_suite():
    read = manifest.load(Path(__file__).parent.parent / "data/suite.yaml")
    assert sum(dataset.all_images() for dataset in read.datasets.values()) == 6389 - 4  # those of near-equal pairs
    assert {dataset.split.folds for dataset in read.datasets.values()} == {5}


SAVED = {"file": "net.keras", "scale": 0.0078125, "offset": -1, "image_size": 64}


def with_saved(manifest, changes, file="net.keras"):
    manifest["backbone"] = SAVED | changes
    manifest["downloads"]["weights"] = {"copies": [{"name": file, "sha256": DIGEST}]}
    return manifest


def test_a_data_set_is_not_called_like_a_figure_of_the_study(small_manifest, write_manifest, message):
    small_manifest["datasets"]["dip"] = small_manifest["datasets"].pop("animals")
    small_manifest["downloads"]["dip"] = small_manifest["downloads"].pop("animals")
    assert (
        message(write_manifest(small_manifest))
        == "datasets: 'dip' is the name of a figure of the study; choose another"
    )


def test_every_figure_of_the_study_has_a_name_that_no_data_set_takes():
    assert {*facts.OVERALL, TRIAL} == manifest.FIGURES


def test_a_backbone_from_a_file(small_manifest, write_manifest):
    read = manifest.load(write_manifest(with_saved(small_manifest, {"offset": [-1, 0.5, 0]})))
    assert (read.backbone.file, read.backbone.scale, read.backbone.offset) == ("net.keras", 0.0078125, [-1, 0.5, 0])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"file": "net.h5"}, "backbone.file: must be the name of a .keras file, Keras's own format, not 'net.h5'"),
        (
            {"file": "other.keras"},
            "backbone.file: 'other.keras' is what each copy of the download 'weights' must be called, not net.keras",
        ),
        ({"scal": 1}, "unknown key 'backbone.scal'; did you mean 'scale'?"),
        ({"offset": [0, 1]}, "backbone.offset: must be a finite number, or a list of three, for red, green and blue"),
        (
            {"scale": float("inf")},
            "backbone.scale: must be a finite number, or a list of three, for red, green and blue, not inf",
        ),
        ({"name": "VGG16"}, "unknown key 'backbone.name'; known here: file, scale, offset, image_size"),
    ],
    ids=["HDF5", "another name", "a misspelt key", "two channels", "infinity", "a name too"],
)
def test_mistakes_in_a_backbone_from_a_file(small_manifest, write_manifest, message, changes, expected):
    assert message(write_manifest(with_saved(small_manifest, changes))) == expected


def test_the_backbones_are_those_of_keras():
    from stages.network.keras_quietly import keras

    networks = {name for name, value in vars(keras.applications).items() if inspect.isfunction(value)}
    assert set(manifest.BACKBONES) == networks


NAMES = ["yes", "no", "on", "true", "null", "0", "2020", "1.5", "1e5", "2020-01-01", "12:30"]
SPACES = ["\u00a0", "\u3000", "\u2009"]  # no-break, ideographic, thin


@pytest.mark.parametrize("name", [*NAMES, *(form.format(space) for space in SPACES for form in ("{}a", "a{}b", "a{}"))])
def test_a_class_s_name_is_what_is_written_without_quotes(name, small_manifest, write_manifest):
    flowers = small_manifest["datasets"]["flowers"]
    flowers["classes"] = {"NAME": "roses", "tulips": f"of {name}"}
    flowers["images"] = {"NAME": 5, "tulips": 4}
    source = write_manifest(small_manifest)
    source.write_text(source.read_text(encoding="utf-8").replace("NAME", name), encoding="utf-8")
    dataset = manifest.load(source).dataset("flowers")
    assert dataset.classes == {name: "roses", "tulips": f"of {name}"}
    assert dataset.images == {name: 5, "tulips": 4}


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_yaml_takes_for_no_text_is_to_be_quoted(name, small_manifest, write_manifest, message):
    small_manifest["datasets"]["flowers"]["classes"]["roses"] = "NAME"
    source = write_manifest(small_manifest)
    source.write_text(source.read_text(encoding="utf-8").replace("NAME", name), encoding="utf-8")
    assert message(source, f"a folder called {name}").startswith(
        "datasets.flowers.classes.roses: must be a text; put it in quotes, as 'yes' or '2020'"
    )
