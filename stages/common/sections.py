"""YAML files into frozen, typed values; what is wrong is told in one line."""

import difflib
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import pydantic
import yaml

from stages.common.command import ThawError, one_line

YAML_TAGS = "tag:yaml.org,2002:"
MERGE = f"{YAML_TAGS}merge"


class Section(pydantic.BaseModel):
    """A mapping of a YAML file: every key known, every value of the declared type, nothing changed later."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which refuses a key that stands twice: it would silently take the last one.

    A key is the text that stands there, also `yes`, `0` or `2020`, as classes are called. `1e-05`, as DVC writes it, is
    the number that it is in YAML 1.2.
    """

    def compose_scalar_node(self, anchor: str | None) -> yaml.ScalarNode:
        node = super().compose_scalar_node(anchor)
        node.value.encode()  # half a surrogate pair is no text, and pydantic fails over it
        return node

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            line = key.start_mark.line + 1
            if key.value in lines:
                raise yaml.YAMLError(f"the key {key.value!r} stands in line {lines[key.value]} and in {line}")
            lines[key.value] = line
            if key.tag.startswith(YAML_TAGS) and key.tag != MERGE:
                key.tag = f"{YAML_TAGS}str"
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (yaml.YAMLError, RecursionError):
            raise
        except Exception:  # whatever a value leads to that is not what its tag says
            line, kind = node.start_mark.line + 1, node.tag.rpartition(":")[2]
            raise yaml.YAMLError(f"{node.value!r} in line {line} is no {kind}") from None


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which puts into quotes what `_Loader` would not read as text."""


for each in (_Loader, _Dumper):
    each.add_implicit_resolver(
        f"{YAML_TAGS}float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
    )

SectionType = TypeVar("SectionType", bound=Section)


def load(path: Path, section: type[SectionType]) -> SectionType:
    """Read the YAML file `path` as a `section`.

    Raises ThawError with the file, the key, the cause and, for an unknown key, the nearest known one.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except FileNotFoundError:
        raise ThawError(f"{path}: no such file; name an existing one") from None
    except (ValueError, RecursionError, yaml.YAMLError, OSError) as error:  # ValueError: no UTF-8
        cause = one_line(error).replace('in "<unicode string>", ', "in ")
        raise ThawError(f"{path}: cannot be read as YAML ({cause}); mend the file") from None
    return checked(content, section, str(path))


def dumped(content: object, flow: bool = False) -> str:
    """`content` as YAML, mappings in their order; in one line where `flow`."""
    return yaml.dump(
        content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=flow, width=sys.maxsize
    )


def value(text: str) -> Any:
    """A word of a command line that DVC made of a YAML file's value, as that value; text where it is none."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except (ValueError, yaml.YAMLError):
        return text


def checked(content: object, section: type[SectionType], place: str) -> SectionType:
    """`content` as a `section`; raises ThawError that names `place`, the key, the cause and the nearest known key."""
    try:
        return section.model_validate(content)
    except pydantic.ValidationError as error:
        raise ThawError(f"{place}: {_first_mistake(error, section, content)}") from None


def _first_mistake(error: pydantic.ValidationError, section: type[Section], content: object) -> str:
    mistake = error.errors(include_url=False)[0]
    keys = _written_keys(mistake["loc"], content)
    if mistake["type"] == "missing":
        return f"missing key '{'.'.join([*keys, str(mistake['loc'][-1])])}'; add it"
    key = ".".join(keys)
    if mistake["type"] == "extra_forbidden":
        known = _known_keys(section, mistake["loc"][:-1])
        near = difflib.get_close_matches(str(mistake["loc"][-1]), known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
        return f"unknown key '{key}'; {hint}"
    message = "must be a mapping of keys" if mistake["type"] == "model_type" else mistake["msg"]
    given = mistake.get("input")
    shown = f", not {_shown(given)}" if isinstance(given, str | int | float | bool) else ""
    where = f"{key}: " if key else ""
    return f"{where}{message.removeprefix('Value error, ')}{shown}"


def _written_keys(location: tuple[int | str, ...], content: Any) -> list[str]:
    """The location without what stands in no file: pydantic's marks for a union's member and for a key."""
    written = []
    for part in location:
        with suppress(KeyError, IndexError, TypeError):
            content = content[part]
            written.append(str(part))
    return written


def _known_keys(annotation: object, location: tuple[int | str, ...]) -> list[str]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        if not location:
            return list(annotation.model_fields)
        field = annotation.model_fields.get(str(location[0]))
        return _known_keys(field.annotation, location[1:]) if field else []
    inner = get_args(annotation)
    if not inner:
        return []
    if get_origin(annotation) is Annotated:
        return _known_keys(inner[0], location)
    tagged = [member for member in inner if pydantic.Tag(str(location[0])) in get_args(member)]
    return _known_keys(tagged[0] if tagged else inner[-1], location[1:])


def _shown(value: str | float | bool) -> str:
    try:
        return repr(value)
    except ValueError:  # Python prints no integer beyond some thousand digits
        return "a number of thousands of digits"
