"""`params.yaml` with other entries, its comments and all other lines as they stand."""

import re
from collections.abc import Mapping

from stages.common import sections
from stages.common.command import ThawError
from stages.common.params import PARAMS_FILE

# What follows a key's line: lines further in, comments too, or a list's, and blank lines between them.
BLOCK = r"(?:(?:[ \t]*\n)*(?:[ \t]+\S|- ).*\n)*"


def with_entries(text: str, entries: Mapping[str, object]) -> str:
    """The YAML mapping `text` with these entries at its top level in place of those of the same keys.

    A mapping's own entries stand in a line each. Raises ThawError where the text is not written in lines of keys.
    """
    before = sections.value(text)
    for key, value in entries.items():
        text = _with_entry(text if text.endswith("\n") else f"{text}\n", key, _block(key, value))
    if sections.value(text) != {**before, **entries}:
        raise ThawError(
            f"{PARAMS_FILE}: {', '.join(entries)} cannot be written into it; begin each of its keys in a line of its "
            "own, as the repository's file does"
        )
    return text


def _with_entry(text: str, key: str, block: str) -> str:
    changed, found = re.subn(rf"^{key}:.*\n{BLOCK}", lambda _: block, text, count=1, flags=re.MULTILINE)
    return changed if found else f"{text}\n{block}"


def _block(key: str, value: object) -> str:
    if not isinstance(value, Mapping) or not value:
        return f"{key}: {_in_one_line([value])}\n"
    lines = (f"  {_in_one_line({name: each})}\n" for name, each in value.items())
    return f"{key}:\n{''.join(lines)}"


def _in_one_line(content: list | dict) -> str:
    """What `content` holds, without its brackets."""
    return sections.dumped(content, flow=True).strip()[1:-1]
