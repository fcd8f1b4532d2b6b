"""The names of an archive's members: in which encoding they are, where they lead, which of them are pictures'."""

import codecs
import re
import unicodedata
from collections.abc import Iterable
from itertools import product
from pathlib import PurePosixPath
from typing import NamedTuple

LONGEST_NAME = 255  # bytes, and LONGEST_PATH: what the usual file systems take
LONGEST_PATH = 1024

# Of names without a word on their encoding: what packers have written. The first that fits is taken.
ENCODINGS = (
    *("utf-8", "cp437", "cp932", "gbk", "cp949", "big5", "cp866", "cp1251", "cp1252", "cp850", "koi8_r", "euc_jp"),
    *("cp1250", "cp852", "cp1253", "cp737", "cp1254", "cp857", "cp1255", "cp862", "cp1256", "cp720", "cp874"),
)
# What systems, file managers and photo programs leave behind, hidden files (with a dot in front) apart.
JUNK = {
    *("__macosx", "desktop.ini", "ehthumbs.db", "ehthumbs_vista.db", "icon\r", "picasa.ini", "thumbs.db"),
    *("zbthumbnail.info", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found"),
}
# How files end that editors, downloads and cameras leave beside a picture, some of them pictures too.
LEFTOVERS = ("~", "_original", ".bak", ".crdownload", ".download", ".orig", ".part", ".thm", ".tmp")
NO_TEXT = ("Cc", "Cs", "Zl", "Zp")  # Unicode's categories


class Spelling(NamedTuple):
    """How an archive spells names: their encoding, and whether a backslash separates folders."""

    encoding: str
    backslashes: bool

    def text(self, name: str | bytes) -> str:
        """The name with '/' between folders, its accents composed; what is not of the encoding is half a surrogate."""
        if isinstance(name, bytes):
            name = codecs.decode(name, self.encoding, "surrogateescape")
        return unicodedata.normalize("NFC", name.replace("\\", "/") if self.backslashes else name)


def composed(path: PurePosixPath) -> PurePosixPath:
    """The path with its accents composed: a Mac's `grün` may be written with a `u` and two dots."""
    return PurePosixPath(unicodedata.normalize("NFC", str(path)))


def spelling(names: Iterable[str | bytes], folders: set[PurePosixPath]) -> Spelling:
    """The spelling that brings most names into the wanted `folders`, and among these leaves most without harm."""
    doubtful = [name for name in names if not _is_plain(name)]
    spellings = [Spelling(encoding, backslashes) for backslashes, encoding in product((False, True), ENCODINGS)]
    best, best_score = spellings[0], (-1, -1)
    for each in spellings:
        paths = [each.text(name) for name in doubtful]
        inside = sum(not folders.isdisjoint(PurePosixPath(path).parents) for path in paths)
        score = inside, sum(leads_out(path) is None and unfit(path) is None for path in paths)
        if score > best_score:
            best, best_score = each, score
        if best_score == (len(doubtful), len(doubtful)):
            break
    return best


def _is_plain(name: str | bytes) -> bool:
    return name.isascii() and (b"\\" if isinstance(name, bytes) else "\\") not in name


def leads_out(name: str) -> str | None:
    """How a name leads, on any system, out of the folder extracted to, as the end of a sentence about it."""
    has_drive = name[:1].isalpha() and name[1:2] == ":"
    if has_drive or name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name):
        return "points outside its folder (an absolute path or '..'); pack the archive again with plain names"
    return None


def unfit(name: str) -> str | None:
    """Why not every system can have a file of this name, as the end of a sentence about it."""
    if any(unicodedata.category(character) in NO_TEXT for character in name):
        return (
            "has a name that is no text (control characters, or an unknown encoding); "
            "rename it and pack the archive again"
        )
    if "\\" in name:
        return "has a backslash in its name; rename it and pack the archive again"
    parts = PurePosixPath(name).parts
    if max((len(part.encode()) for part in parts), default=0) > LONGEST_NAME or len(name.encode()) > LONGEST_PATH:
        return (
            f"has a name too long for file systems ({LONGEST_NAME} bytes, {LONGEST_PATH} with its folders); "
            "rename it and pack the archive again"
        )
    return None


def is_junk(path: PurePosixPath) -> bool:
    """Whether a path below a class folder is hidden, or what a system or a program left behind."""
    return path.name.lower().endswith(LEFTOVERS) or any(
        part.startswith((".", "~$")) or part.lower() in JUNK for part in path.parts
    )


def shown(name: str) -> str:
    """A name in one printable line of bounded length."""
    text = ascii(name) if not name.isprintable() else f"'{name}'"
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}..."
