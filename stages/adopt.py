"""Sets up a study of your own pictures.

Checks a folder or an archive, writes data/<name>.yaml, and replaces the study's settings in params.yaml.

Put the pictures of each class into a folder named after it. Put these folders side by side, or into folders named
train, val and test.
"""

import argparse
import math
import os
import sys
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stages import download
from stages.common import configuration, files, manifest, params, sections
from stages.common.command import ThawError, run
from stages.common.manifest import WEIGHTS, AsShipped, Copy, Download, Drawn, Folded, Manifest
from stages.common.params import PARAMS_FILE, Params
from stages.own import leaks, networks, params_text, schedules
from stages.own.leaks import TWICE
from stages.own.survey import UNREADABLE, Pictures, check_classes, pictures
from stages.pictures import splits
from stages.pictures.parts import TEST
from stages.sources import folders

MANIFESTS = Path("data")
WORK = Path("work/download")  # where the stage `download` looks too
FOLDS = 5  # if every class has a picture in each of them
BY_HAND = ("licence", "limits")  # keys of a data set that `adopt` does not write, and `--update` keeps
SHOWN = 5  # paths of one kind that are printed
MOST_CLASSES_SHOWN = 20
UNEVEN = 2  # times as many pictures as the smallest class: the classes are called uneven
REASONS = (UNREADABLE, TWICE)  # with which `adopt` leaves pictures out
HEADER = (
    "# Written by `python -m stages.adopt`, and by `python -m stages.adopt --update {}` when the pictures change.\n"
)


class Taken(NamedTuple):
    """Where the pictures come from: the manifest's copy, what to read, what messages name, and what DVC tracks here."""

    copy: dict[str, Any]
    archive: Path
    shown: Path
    watched: str | None


class Wishes(NamedTuple):
    """How the command line wants the pictures divided."""

    share: float
    seed: int
    group: str | None
    folds: int = FOLDS


def main(arguments: Sequence[str] | None = None) -> None:
    """Adopt the pictures that the command line names."""
    options = _arguments(arguments)
    settings = params.load()
    if options.update:
        _update(options.update)
        return
    name = options.name or _name_of(options.pictures)
    target = MANIFESTS / f"{name}.yaml"
    if target.exists():
        known = name in manifest.load(target).datasets
        update = f", or `python -m stages.adopt --update {name}` if its pictures have changed" if known else ""
        raise ThawError(f"{target}: already exists; give another --name{update}")
    if not 0 < options.validation_share < 1:
        raise ThawError(f"--validation-share: must be between 0 and 1, not {options.validation_share}")
    network = networks.described(options.backbone)
    network[WEIGHTS] = _weights(network[WEIGHTS], target)
    taken = _taken(options.pictures, target)
    found = pictures(taken.archive, taken.shown)
    wishes = Wishes(options.validation_share, options.seed, options.group)
    dataset = _dataset(name, taken.shown, found, wishes)
    written = _manifest(target, network, name, taken.copy, dataset)
    text = _params_text(settings, written, name, options, taken.watched)
    _tell(found, name)
    _warn_of_near(found, options.group, target)
    with files.written_whole(PARAMS_FILE) as params_beside, files.written_whole(target) as beside:
        beside.write_text(HEADER.format(name) + sections.dumped(written), encoding="utf-8")
        params_beside.write_text(text, encoding="utf-8")
        configuration.read(beside, params.load(params_beside))
    print(f"wrote {target} and the entries of '{name}' in {PARAMS_FILE}; next: make repro (or dvc repro)")
    print("until then, plots/report.html is the report of the study before")
    print(f"before you queue experiments: make repro, then commit {target} {PARAMS_FILE} dvc.lock metrics plots")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.adopt", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "pictures",
        nargs="?",
        help="a folder with a folder for each class, a zip or tar of it, or the archive's address (https://…)",
    )
    what.add_argument(
        "--update", metavar="NAME", help="check the pictures of an adopted data set again and update its manifest"
    )
    parser.add_argument("--name", help="name of the data set (default: the folder's or archive's name)")
    parser.add_argument("--budget", type=int, default=20, help="epochs of each schedule (default: 20)")
    parser.add_argument(
        "--repeats", type=int, default=1, help="trainings of each schedule, each with its own seed (default: 1)"
    )
    parser.add_argument(
        "--validation-share", type=float, default=0.2, help="fraction of each class used for validation (default: 0.2)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="random seed of the train/validation split and of the folds (default: 1)"
    )
    parser.add_argument(
        "--backbone",
        default="MobileNetV2",
        help="a network of keras.applications, a `.keras` file without its top, or `embedded`, the repository's small "
        "network (default: MobileNetV2)",
    )
    parser.add_argument(
        "--group",
        metavar="REGEX",
        help="regular expression: pictures whose paths give the same match stay in one part",
    )
    return parser.parse_args(arguments)


def _name_of(pictures: str) -> str:
    """A name of plain letters, from the last part of a path or an address without an archive's suffix."""
    last = Path(pictures).resolve().name if "://" not in pictures else pictures.rstrip("/").rpartition("/")[2]
    for suffix in (".zip", ".tgz", ".gz", ".bz2", ".xz", ".tar"):
        last = last[: -len(suffix)] if last.lower().endswith(suffix) else last
    plain = unicodedata.normalize("NFKD", last).encode("ascii", "ignore").decode()
    words = "".join(each if each.isalnum() else " " for each in plain).split()
    return "_".join(words) or "pictures"


def _weights(weights: dict[str, Any], target: Path) -> dict[str, Any]:
    """The download of the weights, with the checksum of the file that was found if the download has none.

    A fetched file stays for the stage `download`. Raises ThawError if no copy can be fetched.
    """
    try:
        found = download.located(sections.checked(weights, Download, WEIGHTS), target, WORK, download.mirrors())
    except download.UnavailableError as error:
        raise ThawError(
            f"--backbone: the weights cannot be fetched ({error.causes}); connect to the network, or set "
            f"{download.MIRROR}=FOLDER to a folder that holds them, or use the repository's small network: "
            f"--backbone {networks.EMBEDDED}"
        ) from None
    if not found.unknown:
        return weights
    known = {"bytes": found.path.stat().st_size, "sha256": files.sha256(found.path)}
    return {"copies": [copy | known for copy in weights["copies"]]}


def _taken(pictures: str, target: Path) -> Taken:
    """Find the pictures, and fetch them from an address; raises ThawError if they do not exist."""
    if "://" in pictures:
        return _at_address(pictures, target)
    path = Path(pictures).expanduser()
    if not path.exists():
        raise ThawError(f"{path}: there is no such folder or archive; name an existing one")
    return _on_this_machine(path.resolve(), target)


def _at_address(address: str, target: Path) -> Taken:
    copy = sections.checked({"address": address}, Copy, address)
    part = download.located(Download(copies=[copy]), target, WORK, download.mirrors()).path
    known = {"address": address, "bytes": part.stat().st_size, "sha256": files.sha256(part)}
    return Taken(known, part, Path(copy.file_name), None)


def _on_this_machine(path: Path, target: Path) -> Taken:
    here = Path.cwd()
    if here == path or path in here.parents:
        raise ThawError(f"{path}: contains this repository; name a folder that holds only the pictures")
    inside = path.is_relative_to(here)
    watched = path.relative_to(here).as_posix() if inside else path.as_posix()
    place = Path(os.path.relpath(path, target.parent.resolve())).as_posix() if inside else watched
    if not path.is_dir():
        return Taken({"path": place, "sha256": files.sha256(path)}, path, path, watched)
    listed = folders.pictures(path)
    if others := folders.passed_over(path, listed):
        print(f"ignored: files that are not pictures ({len(others)})")
    listing = download.kept_listing(WORK, path)
    folders.write(path, listed, listing)
    return Taken({"path": place, "sha256": folders.checksum(listed)}, listing, path, watched)


def _update(name: str) -> None:
    """Check the pictures of an adopted data set again; its split's settings and the rest of its manifest stay."""
    target = MANIFESTS / f"{name}.yaml"
    before = manifest.load(target)
    old, copy = before.dataset(name), before.download(name).copies[0]
    place = copy.path_from(target)
    if place and not place.exists():
        raise ThawError(download.missing(place, target))
    taken = _at_address(copy.address or "", target) if place is None else _taken(str(place), target)
    found = pictures(taken.archive, taken.shown)
    found = _without(found, _by_hand(old.leave_out))
    drawn = old.split if isinstance(old.split, Drawn) else None
    share = drawn.validation_share if drawn else 0.2
    wishes = Wishes(share, old.split.seed, old.split.group, old.split.folds or FOLDS)
    text = target.read_text(encoding="utf-8")
    dataset = _dataset(old.title, taken.shown, found, wishes)
    written = sections.value(text)
    dataset |= {key: value for key, value in written["datasets"][name].items() if key in BY_HAND}
    written["datasets"][name], written["downloads"][name] = dataset, {"copies": [taken.copy]}
    _tell(found, name)
    _warn_of_near(found, wishes.group, target)
    with files.written_whole(target) as beside:
        beside.write_text(_comments_above(text) + sections.dumped(written), encoding="utf-8")
        configuration.read(beside, params.load())
    print(f"wrote {target}; next: make repro (or dvc repro)")


def _by_hand(leave_out: Mapping[str, str]) -> dict[str, str]:
    """What the user left out: pictures with other reasons are found again."""
    return {path: reason for path, reason in leave_out.items() if not reason.startswith(REASONS)}


def _without(found: Pictures, leave_out: Mapping[str, str]) -> Pictures:
    gone = {path: reason for path, reason in leave_out.items() if path in found.kept}
    kept = {path: each for path, each in found.kept.items() if path not in gone}
    return found._replace(kept=kept, left_out={**found.left_out, **gone})


def _comments_above(text: str) -> str:
    """The lines of comments that a text begins with."""
    return "".join(takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True)))


def _dataset(title: str, source: Path, found: Pictures, wishes: Wishes) -> dict[str, Any]:
    """The data set of the manifest; raises ThawError if a part or a class would have too few pictures."""
    check_classes(source, found)
    _check_group(source, found, wishes)
    shared = {"group": wishes.group} if wishes.group else {}
    roots = {part: root.as_posix() for part, root in found.layout.roots.items()}
    test = {"folder": roots.pop(TEST), "images": found.counts(TEST)} if TEST in roots else None
    if "all" in roots:
        images = found.counts("all")
        _check_share(images, wishes.share)
        split = {"folder": roots["all"], "validation_share": wishes.share, "seed": wishes.seed} | shared
        parts = splits.drawn(found.labels(), Drawn(**split))
        if empty := splits.empty(found.labels(), parts):
            name = list(found.layout.classes)[empty[0][0]]
            raise ThawError(
                f"{source}: '{name}' has no picture in the {empty[0][1]} part, because the groups of --group are too "
                "large; use a regular expression with smaller groups, another --seed or a larger --validation-share"
            )
    else:
        images = {part: found.counts(part) for part in roots}
        split = roots | {"seed": wishes.seed} | shared
    if _folds_fit(found.labels(), Folded(folds=wishes.folds, **shared), wishes.seed):
        split["folds"] = wishes.folds
    dataset = {"title": title, "classes": found.layout.classes, "split": split, "images": images}
    dataset |= {"test": test} if test else {}
    return dataset | ({"leave_out": found.left_out} if found.left_out else {})


def _check_share(images: Mapping[str, int], share: float) -> None:
    for name, count in images.items():
        if not 0 < round(share * count) < count:
            raise ThawError(
                f"--validation-share: with {share}, none of the {count} pictures of '{name}' would "
                f"{'validate' if share < 0.5 else 'train'}; give the class more pictures, or choose a share such as "
                f"{math.ceil(100 / count) / 100 if share < 0.5 else 0.2}"
            )


def _check_group(source: Path, found: Pictures, wishes: Wishes) -> None:
    if not wishes.group:
        return
    sections.checked({"group": wishes.group}, Folded, "--group")
    groups = {path: splits.group_of(path, wishes.group) for path in found.kept}
    if not any(group != path for path, group in groups.items()):
        raise ThawError(f"--group: '{wishes.group}' matches none of the paths, e.g. {next(iter(groups))}; correct it")
    (largest, most), *_ = Counter(groups.values()).most_common(1)
    print(f"groups: {len(set(groups.values()))}, from {len(groups)} pictures (the largest: {largest}, {most} pictures)")
    if most == 1:
        print(
            f"warning: --group: '{wishes.group}' keeps no two pictures together, e.g. {next(iter(groups))} gives "
            f"{largest}; use a regular expression whose match is the same in all pictures of a group",
            file=sys.stderr,
        )
    parts: dict[str, set[str]] = {}
    for path, each in found.kept.items():
        parts.setdefault(groups[path], set()).add(each.part)
    if both := sorted(group for group, those in parts.items() if len(those) > 1):
        print(
            f"warning: {source}: several parts have pictures of the same group (groups: {len(both)}, e.g. {both[0]}); "
            "--group decides the folds and a random split, but does not change the parts that your pictures have",
            file=sys.stderr,
        )


def _folds_fit(labels: Mapping[str, int], split: Folded, seed: int) -> bool:
    """Whether every class has pictures in every fold."""
    try:
        folds = splits.folds(labels, AsShipped(training="t", validation="v", seed=seed, **split.model_dump()))
    except ThawError:
        return False
    return not splits.empty(labels, {path: str(fold) for path, fold in folds.items()})


def _manifest(
    target: Path, network: Mapping[str, Any], name: str, copy: Mapping[str, Any], dataset: Mapping[str, Any]
) -> dict[str, Any]:
    written = {
        "title": name,
        "downloads": {name: {"copies": [copy]}, WEIGHTS: network[WEIGHTS]},
        "datasets": {name: dataset},
        "backbone": network["backbone"],
    }
    sections.checked(written, Manifest, str(target))
    return written


def _params_text(
    settings: Params, written: Mapping[str, Any], name: str, options: argparse.Namespace, watched: str | None
) -> str:
    """The text of params.yaml with the entries of this data set's study."""
    budget = options.budget
    if budget < 1:
        raise ThawError(f"--budget: must be at least 1 epoch, not {budget}")
    if options.repeats < 1:
        raise ThawError(f"--repeats: must be at least 1, not {options.repeats}")
    own = schedules.variants(name, budget)
    entries = {
        "source": (MANIFESTS / f"{name}.yaml").as_posix(),
        "downloads": [*([] if watched else [name]), WEIGHTS],
        "local": {name: watched} if watched else {},
        "budget": {name: budget},
        "variants": own,
        # A trial that is the first variant trains nothing: the head's epochs are there.
        "schedule": next(iter(own.values())),
        "seeds": list(range(1, options.repeats + 1)),
        "repeats": None,
    }
    training = sections.checked(written, Manifest, name).dataset(name).training_images()
    if settings.batch_size > training:
        entries["batch_size"] = training
        print(f"batch_size: {training} instead of {settings.batch_size}, the size of the training part")
    text = params_text.with_entries(PARAMS_FILE.read_text(encoding="utf-8"), entries)
    for section, values in schedules.SETTINGS.items():
        for key, value in values.items():
            text = params_text.with_value(text, section, key, value, "stages/own/schedules.py")
            print(f"{section}.{key}: {value}")
    if written["backbone"].get("name") == networks.COUNTED:
        return text
    source = f"the share of frozen layers, as in {networks.COUNTED}"
    print(f"fine.from_layer: {networks.FROZEN_SHARE}, {source}")
    return params_text.with_value(text, "fine", "from_layer", networks.FROZEN_SHARE, source)


def _tell(found: Pictures, name: str) -> None:
    """Print the number of pictures in each class and part, what is left out and why, and remarks on their files."""
    words = {"all": "to train and validate", TEST: "to test"}
    parts = ", ".join(f"{sum(found.counts(part).values())} {words.get(part, part)}" for part in found.layout.roots)
    print(f"{name}: {len(found.layout.classes)} classes, {len(found.kept)} pictures ({parts})")
    for title in list(found.layout.classes)[:MOST_CLASSES_SHOWN]:
        print(f"  {title}: {' + '.join(str(found.counts(part)[title]) for part in found.layout.roots)}")
    totals = Counter(found.labels().values())
    if max(totals.values()) > UNEVEN * min(totals.values()):
        print("the classes are uneven: `class_weight: balanced` in params.yaml gives each the same weight in training")
    for words in found.layout.beside:
        print(f"ignored: {words}")
    if found.passed_over:
        print(f"ignored: files in the classes' folders that are not pictures ({found.passed_over})")
    for reason, paths in sorted(_by_kind(found.left_out).items()):
        for path in paths[:SHOWN]:
            print(f"left out: {path}: {found.left_out[path]}")
        if len(paths) > SHOWN:
            print(f"left out: {len(paths) - SHOWN} more ({reason}); the manifest lists all")
    remarks = Counter(remark for each in found.kept.values() for remark in each.remarks)
    for remark, count in remarks.items():
        print(f"warning: pictures of which each {remark}: {count}", file=sys.stderr)


def _by_kind(left_out: Mapping[str, str]) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    for path, reason in left_out.items():
        kinds.setdefault(next((kind for kind in REASONS if reason.startswith(kind)), reason), []).append(path)
    return kinds


def _warn_of_near(found: Pictures, group: str | None, target: Path) -> None:
    """Warn of nearly equal pictures that are, or may come, into both parts, and say how to keep them apart."""
    paths = list(found.kept)
    pairs = []
    for one, other in leaks.near(np.stack([each.thumbnail for each in found.kept.values()])):
        parts = {found.kept[paths[one]].part, found.kept[paths[other]].part}
        apart = not group or splits.group_of(paths[one], group) != splits.group_of(paths[other], group)
        if len(parts) > 1 or (parts == {"all"} and apart):
            pairs.append((paths[one], paths[other]))
    if pairs:
        both = "are in different parts" if "all" not in found.layout.roots else "may come into different parts"
        print(
            f"warning: some pairs of pictures are nearly equal and {both}, which would make validation look too good "
            f"(pairs: {len(pairs)}); --group REGEX keeps related pictures in one part, or leave one of each pair out: "
            f"`leave_out` in {target}, then `python -m stages.adopt --update {target.stem}`",
            file=sys.stderr,
        )
        for pair in pairs[:SHOWN]:
            print(f"nearly equal: {' and '.join(pair)}", file=sys.stderr)
        if len(pairs) > SHOWN:
            print(f"nearly equal: {len(pairs) - SHOWN} more pairs", file=sys.stderr)


if __name__ == "__main__":
    run(main)
