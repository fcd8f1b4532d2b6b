"""A training's state on disk: read back as written, or known to be damaged."""

from pathlib import Path
from random import Random

import numpy as np
import pytest

from stages.training import checkpoints

ROWS = [{"epoch": 1, "phase": "fine", "loss": 0.5}]
ARRAYS = [np.arange(30, dtype=np.float32).reshape(5, 6), np.array(3.0, np.float32), np.arange(4)]
FLIPS = 1000


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "state.npz"
    checkpoints.write(path, ROWS, ARRAYS)
    return path


def assert_as_written(found: tuple[list[dict], checkpoints.State]) -> None:
    rows, arrays = found
    assert rows == ROWS
    for one, other in zip(arrays, ARRAYS, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(one, other)


def test_what_is_written_is_read_back(written, capsys):
    assert_as_written(checkpoints.read(written))
    assert capsys.readouterr().err == ""


def test_what_is_not_there_is_no_damage(tmp_path, capsys):
    assert checkpoints.read(tmp_path / "state.npz") is None
    assert capsys.readouterr().err == ""


def test_a_flipped_bit_is_noticed_or_changes_nothing(written, capsys, fault):
    good = written.read_bytes()
    damaged = 0
    for bit in Random(1).sample(range(len(good) * 8), FLIPS):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        written.write_bytes(flipped)
        found = checkpoints.read(written)
        told = f"{written}: damaged; passed over\n" if found is None else ""
        assert capsys.readouterr().err == told
        damaged += found is None
        if found is not None:  # zip keeps times, permissions and the like
            assert_as_written(found)
    assert damaged > FLIPS / 2
    fault(
        "damage on disk",
        "a flipped bit in a checkpoint or a transfer state",
        FLIPS,
        "one line, and passed over; or no effect",
    )


def test_a_state_cut_short_anywhere_is_noticed(written, capsys, fault):
    good = written.read_bytes()
    for length in range(len(good)):
        written.write_bytes(good[:length])
        assert checkpoints.read(written) is None
        assert capsys.readouterr().err == f"{written}: damaged; passed over\n"
    fault("damage on disk", "a checkpoint or a transfer state cut short", len(good), "one line, and passed over")
