"""Changes entries of `params.yaml` and keeps its comments and all other lines."""

import re
from collections.abc import Mapping

from stages.common import sections
from stages.common.command import ThawError
from stages.common.params import PARAMS_FILE

# What follows a key's line: indented lines, comments too, or a list's lines, and blank lines between them.
BLOCK = r"(?:(?:[ \t]*\n)*(?:[ \t]+\S|- ).*\n)*"


def with_entries(text: str, entries: Mapping[str, object]) -> str:
    """The YAML mapping `text`, with `entries` in place of its top-level entries of the same keys.

    Each entry of a mapping gets a line. Raises ThawError if a key of the text does not start a line.
    """
    before = sections.value(text)
    for key, value in entries.items():
        text = _with_entry(text if text.endswith("\n") else f"{text}\n", key, _block(key, value))
    if sections.value(text) != {**before, **entries}:
        raise ThawError(
            f"{PARAMS_FILE}: cannot write {', '.join(entries)} into it; start each of its keys on its own line, as in "
            "the repository's file"
        )
    return text


def with_value(text: str, section: str, key: str, value: float | str, source: str) -> str:
    """The YAML mapping `text`, with `value` for `key` of the top-level `section`, and its `source` as the comment.

    Raises ThawError as above.
    """
    expected = sections.value(text)
    expected[section][key] = value
    line = rf"(^{section}:.*\n(?:[ \t]*\n|[ \t]+.*\n)*?[ \t]+{key}:[ \t]*)\S.*"
    text = re.sub(line, rf"\g<1>{value}  # {source}", text, count=1, flags=re.MULTILINE)
    if sections.value(text) != expected:
        raise ThawError(f"{PARAMS_FILE}: cannot write {section}.{key} into it; give it its own line")
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
    """`content` in YAML's flow style, without the outer brackets."""
    return sections.dumped(content, flow=True).strip()[1:-1]
