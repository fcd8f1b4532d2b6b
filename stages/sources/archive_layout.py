"""Where an archive's folders are not those of the manifest: what it holds, and how to name that."""

from pathlib import Path, PurePosixPath

import yaml

from stages.common.command import LONGEST_LINE, ThawError
from stages.common.manifest import DrawnDataset, ShippedDataset
from stages.sources.archive import Survey
from stages.sources.archive_names import composed

SHOWN = 8  # folders that one line names


def check(archive: Path, source: Path, dataset: DrawnDataset | ShippedDataset, contents: Survey) -> None:
    """Raise ThawError where a class folder of the data set holds nothing; `source` is the manifest's file."""
    filled = {found.place.folder for several in contents.found.values() for found in several}
    empty = [str(place.folder) for place in dataset.places() if place.folder not in filled]
    if empty:
        raise ThawError(
            f"{archive}: holds no pictures in {_some(empty)}; {_held(contents)}; {_remedy(source, dataset, contents)}"
        )


def _held(contents: Survey) -> str:
    if not contents.folders:
        return "it holds no folder of pictures at all"
    folders = sorted(contents.folders.items())
    return f"it holds {_some([f'{_named(folder)} ({count})' for folder, count in folders])}"


def _remedy(source: Path, dataset: DrawnDataset | ShippedDataset, contents: Survey) -> str:
    folders = {parent for folder in contents.folders for parent in (folder, *folder.parents)}
    if names := _fitting_names(dataset, folders):
        return f"if these are the ones, write in {source}: {names}"
    if contents.archives and len(contents.folders) < len(dataset.classes):
        inside = _some([str(path) for path in contents.archives])
        return f"unpack what lies packed in it ({inside}) and pack the class folders themselves"
    if len(contents.folders) < len(dataset.classes):
        return "give the pictures of each class a folder of their own and pack the archive again"
    return f"name them in {source} under `split` ('.' is the archive's top) and `classes`"


def _fitting_names(dataset: DrawnDataset | ShippedDataset, folders: set[PurePosixPath]) -> str | None:
    """The keys that name folders of the archive which differ in case, spaces or what they lie in; None without any."""
    if isinstance(dataset, DrawnDataset):
        roots = {"folder": dataset.split.folder}
    else:
        roots = {"training": dataset.split.training, "validation": dataset.split.validation}
    by_name = {_loosely(folder): folder for folder in folders}
    chosen: dict[str, PurePosixPath] = {}
    classes: dict[str, str] = {}
    for key, wanted in roots.items():
        options = [root for root in folders if all(_inside(root, leaf, by_name) for leaf in dataset.classes.values())]
        if not options:
            return None
        name = _loosely(PurePosixPath(PurePosixPath(wanted).name))
        chosen[key] = min(options, key=lambda root: (_loosely(PurePosixPath(root.name)) != name, len(root.parts), root))
        for title, leaf in dataset.classes.items():
            classes[title] = str(by_name[_loosely(chosen[key] / leaf)].relative_to(chosen[key]))
    if len(set(chosen.values())) < len(roots):
        return None
    if any(root / leaf not in folders for root in chosen.values() for leaf in classes.values()):
        return None
    keys = [f"split.{key}: {_yaml(str(root))}" for key, root in chosen.items()]
    return ", ".join([*keys, f"classes: {_yaml(classes)}"])


def _yaml(value: str | dict[str, str]) -> str:
    """In one line that can be copied: what would not be seen in it stands in YAML's own words."""
    texts = [
        yaml.safe_dump(value, default_flow_style=True, allow_unicode=unicode, width=LONGEST_LINE).split("\n")[0]
        for unicode in (True, False)
    ]
    return texts[0] if texts[0].isprintable() else texts[1]


def _inside(root: PurePosixPath, leaf: str, by_name: dict[str, PurePosixPath]) -> bool:
    folder = by_name.get(_loosely(root / leaf))
    return folder is not None and folder != root and root in folder.parents


def _loosely(path: PurePosixPath) -> str:
    """The path as a hasty eye sees it: without the case of letters, and all spaces the same."""
    return "/".join(" ".join(part.split()) for part in composed(path).parts).casefold()


def _named(folder: PurePosixPath) -> str:
    return str(folder) if folder.parts else "its top"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
