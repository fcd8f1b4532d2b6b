"""The manifest of inputs (`data/*.yaml`): downloads, data sets and backbone as frozen, checked values."""

import difflib
import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from itertools import combinations
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    field_validator,
    model_validator,
)

from stages.common import sections
from stages.common.command import ThawError
from stages.common.sections import Section

WEIGHTS = "weights"  # the download that is the backbone's
LONGEST_NAME = 200  # bytes; file systems take 255, and a file still being written adds to its name
LONGEST_PATH = 1024  # bytes
# The networks of keras.applications, told here because Keras takes seconds to import; a test compares.
BACKBONES = (
    *("ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge", "DenseNet121", "DenseNet169"),
    *("DenseNet201", *(f"EfficientNetB{size}" for size in range(8))),
    *("EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2", "EfficientNetV2B3", "EfficientNetV2L"),
    *("EfficientNetV2M", "EfficientNetV2S", "InceptionResNetV2", "InceptionV3", "MobileNet", "MobileNetV2"),
    *("MobileNetV3Large", "MobileNetV3Small", "NASNetLarge", "NASNetMobile", "ResNet101", "ResNet101V2", "ResNet152"),
    *("ResNet152V2", "ResNet50", "ResNet50V2", "VGG16", "VGG19", "Xception"),
)
MOST_CLASSES = 1000
LARGEST_IMAGE = 4096  # pixels a side: more is a slip, and fills any memory
SAVED = ".keras"  # what a network's own file ends in
FIGURES = {"switch", "fine_share", "dip", "styles", "costs", "trial"}  # whose files lie beside those of the data sets
OWN_ARGUMENTS = {"include_top", "input_shape", "input_tensor", "pooling", "weights"}  # which the stages decide

Item = TypeVar("Item")


def _file_name(name: str) -> str:
    if name.startswith(".") or not name.isprintable() or set(name) & set("/\\") or not name:
        raise ValueError("must be a plain file name, without folders and without a dot in front")
    if len(name.encode()) > LONGEST_NAME:
        raise ValueError(f"must be a file name of at most {LONGEST_NAME} bytes")
    return name


def _spelt_out(text: str) -> bool:
    """Whether all of a text can be seen: people have folders with a no-break or an ideographic space in the name."""
    return all(each.isprintable() or unicodedata.category(each) == "Zs" for each in text)


def _line(text: str) -> str:
    if not _spelt_out(text):
        raise ValueError("must be a text of one line, without control characters")
    return text


def _way(text: str) -> str:
    """An address or a path that can be shown in one line, and that a file system can be asked for."""
    parts = unquote(text).split("/")
    if not all(map(str.isprintable, parts)):
        raise ValueError("must be a text of one line, without control characters")
    if len(text.encode()) > LONGEST_PATH or max(len(part.encode()) for part in parts) > LONGEST_NAME:
        raise ValueError(f"must have at most {LONGEST_PATH} bytes, {LONGEST_NAME} between two '/'")
    return text


def _folder(text: str) -> str:
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or "\\" in text or not _spelt_out(text):
        raise ValueError("must be a plain folder with '/' between its parts, without '..'")
    return text


def _backbone(name: str) -> str:
    if name not in BACKBONES:
        near = difflib.get_close_matches(name, BACKBONES, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(BACKBONES)}"
        raise ValueError(f"must be a network of keras.applications ({hint})")
    return name


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", text) or len(text) > LONGEST_NAME:
        raise ValueError(f"must be a name of letters A to Z, digits, '_' and '-', at most {LONGEST_NAME} of them")
    return text


def _scalar(value: object) -> object:
    if not isinstance(value, str | int | float | bool):
        raise ValueError("must be a number, a text, true or false")
    return value


def _channels(value: float | list[float]) -> float | list[float]:
    numbers = value if isinstance(value, list) else [value]
    if (isinstance(value, list) and len(value) != 3) or not all(map(math.isfinite, numbers)):
        raise ValueError("must be a finite number, or a list of three, for red, green and blue")
    return value


def _text(value: object) -> object:
    """YAML takes yes for true, 2020 for a number, 2020-01-01 for a date and null for nothing."""
    if value is None or isinstance(value, bool | int | float | date):
        raise ValueError("must be a text; put it in quotes, as 'yes' or '2020'")
    return value


Title = Annotated[str, BeforeValidator(_text), Field(min_length=1), AfterValidator(_line)]
# Names become names of folders, stages and variants.
Name = Annotated[str, AfterValidator(_name)]
Folder = Annotated[str, BeforeValidator(_text), AfterValidator(_folder)]
ImageSize = Annotated[int, Field(ge=1, le=LARGEST_IMAGE)]  # pixels, of both sides
Channels = Annotated[float | list[float], AfterValidator(_channels)]
ImageCount = Annotated[int, Field(ge=1, le=10**9)]  # at most: so that a share of it is a number
ClassCounts = dict[Annotated[str, BeforeValidator(_text)], ImageCount]
Way = Annotated[str, AfterValidator(_way)]


class Copy(Section):
    """A known copy of a download: where it is, or only its name, by which THAW_MIRROR may hold it."""

    address: Way | None = None  # https:// or file://
    path: Way | None = None  # of an archive or, with the checksum over its pictures, a folder; from the manifest's
    name: str | None = None
    bytes: Annotated[int, Field(ge=1)] | None = None
    sha256: str | None = None
    note: str | None = None  # what a reader of results must know of this copy

    def path_from(self, manifest: Path) -> Path | None:
        """Where on this machine a copy lies, by the manifest's file; None for one that lies elsewhere."""
        if self.path is not None:
            return manifest.parent / Path(self.path).expanduser()
        parts = urlsplit(self.address or "")
        return Path(unquote(parts.path)) if parts.scheme == "file" else None

    @property
    def file_name(self) -> str:
        if self.address is not None:
            return PurePosixPath(unquote(urlsplit(self.address).path)).name
        return PurePosixPath(self.path or self.name or "").name

    @field_validator("address")
    @classmethod
    def _known_scheme(cls, address: str | None) -> str | None:
        parts = urlsplit(address or "")
        known = parts.hostname if parts.scheme == "https" else parts.scheme == "file" and not parts.netloc
        if address is not None and not known:
            raise ValueError("must be an address https://HOST/... or file:///...")
        return address

    @field_validator("sha256")
    @classmethod
    def _digits(cls, digest: str | None) -> str | None:
        if digest is not None and (len(digest) != 64 or set(digest.lower()) - set("0123456789abcdef")):
            raise ValueError("must be 64 hexadecimal digits")
        return digest and digest.lower()

    @model_validator(mode="after")
    def _one_place(self) -> "Copy":
        if sum(place is not None for place in (self.address, self.path, self.name)) != 1:
            raise ValueError("a copy has exactly one of address, path and name")
        if self.name is not None and self.sha256 is None:
            raise ValueError("a copy known by name alone needs its sha256, which vouches for a mirror's file")
        _file_name(self.file_name if self.name is None else self.name)
        return self


class Download(Section):
    """A file to fetch; any of its copies will do."""

    copies: Annotated[list[Copy], Field(min_length=1)]


class Place(NamedTuple):
    """A folder of the archive and what it must hold; `part` is None where the split is drawn."""

    folder: PurePosixPath
    label: int
    part: Literal["training", "validation", "test"] | None
    images: int


class Limits(Section):
    """Against bombs: what the archive may unpack to, and the pixels a picture may have; None: what is plausible."""

    bytes: Annotated[int, Field(ge=1)] | None = None
    pixels: Annotated[int, Field(ge=1)] | None = None


class HeldOut(Section):
    """The test part: no training reads it, and each report scores its recommended schedule alone on it."""

    folder: Folder
    images: ClassCounts


class Dataset(Section):
    """What all data sets have: a title, and each class's folder in the order of the labels."""

    title: Title
    classes: dict[Title, Folder]
    test: HeldOut | None = None
    limits: Limits = Limits()
    licence: Title | None = None  # of the pictures, for the model's card
    leave_out: dict[Folder, Title] = Field(default_factory=dict)  # pictures that no part has, by path, and why

    def places(self) -> list[Place]:
        """Where the images of each part and class lie."""
        held_out = [] if self.test is None else self._places_in(self.test.folder, "test", self.test.images)
        return [*self._own_places(), *held_out]

    def counts(self) -> list[ClassCounts]:
        """The expected numbers of images, a mapping for each part that the manifest counts, without the test part."""
        raise NotImplementedError

    def training_images(self) -> int:
        """How many images the training part has."""
        raise NotImplementedError

    def all_images(self) -> int:
        """How many images there are to train and to validate on."""
        return sum(count for counts in self.counts() for count in counts.values())

    def _own_places(self) -> list[Place]:
        """Where the images to train and to validate on lie."""
        raise NotImplementedError

    def _places_in(
        self, root: str, part: Literal["training", "validation", "test"] | None, counts: ClassCounts
    ) -> list[Place]:
        return [
            Place(PurePosixPath(root) / folder, label, part, counts[name])
            for label, (name, folder) in enumerate(self.classes.items())
        ]

    @model_validator(mode="after")
    def _classes_fit(self) -> "Dataset":
        if len(self.classes) < 2:
            raise ValueError("classes: a data set needs at least 2")
        if len(self.classes) > MOST_CLASSES:
            raise ValueError(f"classes: {len(self.classes)}, more than {MOST_CLASSES}")
        counted = [("images", counts) for counts in self.counts()]
        for key, counts in [*counted, *([("test.images", self.test.images)] if self.test else [])]:
            if counts.keys() != self.classes.keys():
                raise ValueError(f"{key}: counts {_listed(counts)}, but the classes are {_listed(self.classes)}")
        for one, other in combinations((place.folder for place in self.places()), 2):
            if one == other or one in other.parents or other in one.parents:
                raise ValueError(f"the folders {one} and {other} overlap; give each class and part one of its own")
        return self


class Folded(Section):
    """How a data set is divided into folds, each of which validates one repeat; `group` keeps pictures together.

    A group is what a regular expression matches in a picture's path, its first group where it has one.
    """

    folds: Annotated[int, Field(ge=2)] | None = None
    group: str | None = None

    @field_validator("group")
    @classmethod
    def _expression(cls, group: str | None) -> str | None:
        try:
            re.compile(group or "")
        except re.error as error:
            raise ValueError(f"must be a regular expression ({error})") from None
        return group


class AsShipped(Folded):
    training: Folder
    validation: Folder
    seed: Annotated[int, Field(ge=0)] = 1  # of the folds


class CountsAsShipped(Section):
    training: ClassCounts
    validation: ClassCounts


class ShippedDataset(Dataset):
    """A data set whose archive has a folder for each part."""

    split: AsShipped
    images: CountsAsShipped

    def counts(self) -> list[ClassCounts]:
        return [self.images.training, self.images.validation]

    def training_images(self) -> int:
        return sum(self.images.training.values())

    def _own_places(self) -> list[Place]:
        return [
            *self._places_in(self.split.training, "training", self.images.training),
            *self._places_in(self.split.validation, "validation", self.images.validation),
        ]


class Drawn(Folded):
    folder: Folder
    validation_share: Annotated[float, Field(gt=0, lt=1)]
    seed: Annotated[int, Field(ge=0)]

    def validation_images(self, images: int) -> int:
        """How many of a class's images go to the validation part."""
        return round(self.validation_share * images)


class DrawnDataset(Dataset):
    """A data set whose parts are drawn, the same share of each class."""

    split: Drawn
    images: ClassCounts

    def counts(self) -> list[ClassCounts]:
        return [self.images]

    def training_images(self) -> int:
        return sum(images - self.split.validation_images(images) for images in self.images.values())

    def _own_places(self) -> list[Place]:
        return self._places_in(self.split.folder, None, self.images)

    @model_validator(mode="after")
    def _both_parts_filled(self) -> "DrawnDataset":
        for name, images in self.images.items():
            if not 0 < self.split.validation_images(images) < images:
                share = self.split.validation_share
                raise ValueError(f"a validation_share of {share} leaves a part of '{name}' ({images}) without images")
        return self


def _kind(dataset: object) -> str:
    split = dataset.get("split") if isinstance(dataset, Mapping) else None
    drawn = isinstance(split, Mapping) and not split.keys().isdisjoint({"folder", "validation_share"})
    return "drawn" if drawn else "shipped"


AnyDataset = Annotated[
    Annotated[ShippedDataset, Tag("shipped")] | Annotated[DrawnDataset, Tag("drawn")], Discriminator(_kind)
]


class Backbone(Section):
    """A network of `keras.applications` and how it is built."""

    name: Annotated[str, AfterValidator(_backbone)]
    arguments: dict[str, Annotated[object, AfterValidator(_scalar)]]
    image_size: ImageSize

    @property
    def title(self) -> str:
        """The network in words."""
        return ", ".join([self.name, *(f"{key} {value}" for key, value in self.arguments.items())])

    @field_validator("arguments")
    @classmethod
    def _left_to_the_manifest(cls, arguments: dict[str, object]) -> dict[str, object]:
        if taken := sorted(OWN_ARGUMENTS & arguments.keys()):
            raise ValueError(f"{', '.join(taken)}: not the manifest's to choose; leave it out")
        return arguments


class SavedBackbone(Section):
    """A network from a `.keras` file, which the download `weights` brings, and what it takes for a pixel.

    Its input is pixel * scale + offset, pixels from 0 to 255; a list has a number for each of red, green and blue.
    """

    file: Annotated[str, AfterValidator(_file_name)]
    scale: Channels
    offset: Channels
    image_size: ImageSize

    @property
    def title(self) -> str:
        """The network in words."""
        return self.file

    @field_validator("file")
    @classmethod
    def _keras_format(cls, file: str) -> str:
        if not file.endswith(SAVED):
            raise ValueError(f"must be the name of a {SAVED} file, Keras's own format")
        return file


def _origin(backbone: object) -> str:
    return "saved" if isinstance(backbone, Mapping) and "file" in backbone else "built"


AnyBackbone = Annotated[
    Annotated[Backbone, Tag("built")] | Annotated[SavedBackbone, Tag("saved")], Discriminator(_origin)
]


class Manifest(Section):
    """All of a manifest."""

    title: Title
    downloads: dict[Name, Download]
    datasets: Annotated[dict[Name, AnyDataset], Field(min_length=1)]
    backbone: AnyBackbone

    _path: Path = PrivateAttr()

    @property
    def path(self) -> Path:
        """The manifest's file; paths in it are relative to its folder."""
        return self._path

    def dataset(self, name: str) -> ShippedDataset | DrawnDataset:
        """The data set `name`; raises ThawError with the known ones."""
        return self._entry("datasets", self.datasets, name)

    def download(self, name: str) -> Download:
        """The download `name`; raises ThawError with the known ones."""
        return self._entry("downloads", self.downloads, name)

    def _entry(self, key: str, entries: Mapping[str, Item], name: str) -> Item:
        if name not in entries:
            raise ThawError(f"{self.path}: {key}: there is no '{name}'; known are {_listed(entries)}")
        return entries[name]

    @model_validator(mode="after")
    def _downloads_complete(self) -> "Manifest":
        if WEIGHTS in self.datasets:
            raise ValueError(f"datasets: '{WEIGHTS}' is the name of the backbone's download; choose another")
        if taken := sorted(FIGURES & self.datasets.keys()):
            raise ValueError(f"datasets: '{taken[0]}' is the name of a figure of the study; choose another")
        for name in [*self.datasets, WEIGHTS]:
            if name not in self.downloads:
                raise ValueError(f"downloads: '{name}' is missing; known are {_listed(self.downloads)}")
        if isinstance(self.backbone, SavedBackbone):
            names = {copy.file_name for copy in self.downloads[WEIGHTS].copies}
            if names != {self.backbone.file}:
                raise ValueError(
                    f"backbone.file: '{self.backbone.file}' is what each copy of the download '{WEIGHTS}' must be "
                    f"called, not {_listed(names)}"
                )
        return self


def corrected(source: Path) -> str:
    """How to bring the manifest `source` to what there is now, as the end of a sentence."""
    return f"correct {source} (`python -m stages.adopt --update {source.stem}` does so if adopt wrote it)"


def load(path: Path) -> Manifest:
    """Read and check a manifest; raises ThawError."""
    manifest = sections.load(path, Manifest)
    manifest._path = path
    return manifest


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(names)
