"""Finds which folders are the classes and which are the parts, from the paths of the pictures."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from stages.common.command import ThawError
from stages.common.manifest import MOST_CLASSES
from stages.pictures.image_file import is_named_as_picture
from stages.pictures.parts import PARTS, TEST
from stages.sources.archive_names import shown

TOP = PurePosixPath()
# The usual names of the parts, in upper or lower case.
PART_OF_FOLDER = {
    **dict.fromkeys(("train", "training"), "training"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
SHOWN = 8  # folders that a message names


class Layout(NamedTuple):
    """The folder of each part, and the folder of each class below it.

    The parts are `all`, or `training` and `validation`; and `test` if it has the same classes as the training part.
    """

    roots: dict[str, PurePosixPath]
    classes: dict[str, str]  # name: folder
    beside: list[str]  # what is ignored, in words


def layout(source: Path, files: Iterable[PurePosixPath]) -> Layout:
    """The layout of `source`, a folder or an archive, whose files are `files`.

    A class is a folder, with the files at any depth below it. Raises ThawError if there are fewer than two classes, or
    if the parts have different classes.
    """
    files = list(files)
    tree = _Tree([path for path in files if is_named_as_picture(path.name)] or files)
    top = tree.below_only_children(TOP)
    by_part: dict[str, PurePosixPath] = {}
    for child in tree.children(top):
        part = PART_OF_FOLDER.get(child.name.lower())
        if part in by_part:
            raise ThawError(f"{source}: {by_part[part]} and {child} are both the {part} part; merge them")
        if part:
            by_part[part] = child
    if "training" not in by_part:
        roots, beside = {"all": top}, []
    else:
        others = [child for child in tree.children(top) if child not in by_part.values()]
        beside = [f"{child}, which is no part (pictures: {tree.count(child)})" for child in others]
        roots = {part: tree.below_only_children(root) for part, root in by_part.items()}
        classes = {child.name for child in tree.children(roots["training"])}
        if "test" in roots and {child.name for child in tree.children(roots["test"])} != classes:
            test = roots.pop("test")
            beside.append(f"{test}, whose classes are not those of the training part (pictures: {tree.count(test)})")
        if "validation" not in roots:
            roots["all"] = roots.pop("training")
        roots = {part: roots[part] for part in ("all", *PARTS, TEST) if part in roots}
    for root in roots.values():
        if loose := tree.loose(root):
            beside.append(f"pictures directly in {_named(root)}, outside the folders of the classes ({loose})")
    return Layout(roots, _classes(source, tree, roots), beside)


class _Tree:
    """The folders of a list of files."""

    def __init__(self, files: list[PurePosixPath]) -> None:
        self._counts: dict[PurePosixPath, int] = {TOP: 0}
        self._loose: dict[PurePosixPath, int] = {}
        self._children: dict[PurePosixPath, set[PurePosixPath]] = {}
        for path in files:
            self._loose[path.parent] = self._loose.get(path.parent, 0) + 1
            for parent in path.parents:
                self._counts[parent] = self._counts.get(parent, 0) + 1
                if parent != TOP:
                    self._children.setdefault(parent.parent, set()).add(parent)

    def children(self, folder: PurePosixPath) -> list[PurePosixPath]:
        """The folders in `folder` that hold files at any depth."""
        return sorted(self._children.get(folder, ()))

    def count(self, folder: PurePosixPath) -> int:
        """The number of files in `folder` at any depth."""
        return self._counts.get(folder, 0)

    def loose(self, folder: PurePosixPath) -> int:
        """The number of files directly in `folder`."""
        return self._loose.get(folder, 0)

    def below_only_children(self, folder: PurePosixPath) -> PurePosixPath:
        """Goes down from `folder` as long as it holds a single folder that has subfolders."""
        while len(self.children(folder)) == 1 and self.children(self.children(folder)[0]):
            (folder,) = self.children(folder)
        return folder


def _classes(source: Path, tree: _Tree, roots: dict[str, PurePosixPath]) -> dict[str, str]:
    in_part = {part: {child.name for child in tree.children(root)} for part, root in roots.items()}
    names = set.union(*in_part.values())
    for part, root in roots.items():
        if missing := sorted(names - in_part[part]):
            raise ThawError(
                f"{source}: {_named(root)} has no pictures of {_some(missing)}, which another part has; give each "
                "class pictures and the same folder name in every part, or adopt only the training folder"
            )
    root = next(iter(roots.values()))
    if len(names) < 2:
        found = f"only one class, {_some(sorted(names))}" if names else "no folders of pictures"
        raise ThawError(
            f"{source}: {_named(root)} holds {found}; put the pictures of each of at least two classes into a folder "
            "of their own there"
        )
    if len(names) > MOST_CLASSES:
        raise ThawError(
            f"{source}: {_named(root)} holds {len(names)} folders of pictures, and a data set has at most "
            f"{MOST_CLASSES} classes; name the folder that holds the classes"
        )
    # No-break spaces, ideographic spaces and double spaces are hard to see and to type.
    titles = {" ".join(name.split()): name for name in sorted(names)}
    if len(titles) < len(names):
        twins = sorted(names - set(titles.values()))
        raise ThawError(f"{source}: {_some(twins)} differs from another class only in spaces; rename the folder")
    return titles


def _named(folder: PurePosixPath) -> str:
    return str(folder) if folder.parts else "its top folder"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(map(shown, names[:SHOWN]))}{more}"
