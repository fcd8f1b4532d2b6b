"""How generated cases are tried: always the same ones, as many as asked for; and bytes damaged in every way."""

from collections.abc import Callable
from typing import NamedTuple

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings

Test = Callable[..., None]


def tries(count: int) -> Callable[[Test], Test]:
    """Run a test on `count` generated cases, the same ones every time."""
    return settings(max_examples=count, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


class Edit(NamedTuple):
    """Damage to some bytes: the `length` ones from the share `place` of all on give way to `inserted`."""

    place: float
    length: int
    inserted: bytes


def damaged(content: bytes, edits: list[Edit]) -> bytes:
    """The content after one edit after the other."""
    for edit in edits:
        start = int(edit.place * len(content))
        content = content[:start] + edit.inserted + content[start + edit.length :]
    return content


def edits() -> st.SearchStrategy[list[Edit]]:
    """Few edits: bytes overwritten, left out or put in, and the rest cut off."""
    lengths = st.integers(0, 16) | st.just(2**30)
    edit = st.builds(Edit, st.floats(0, 1), lengths, st.binary(max_size=16))
    overwritten = st.builds(
        lambda place, content: Edit(place, len(content), content), st.floats(0, 1), st.binary(min_size=1, max_size=4)
    )
    return st.lists(overwritten | edit, min_size=1, max_size=4)
