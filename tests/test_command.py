"""How a stage ends: with one line and exit code 1, or as the shell expects after Ctrl-C."""

import errno

import pytest

from stages.lib.command import ThawError, run


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ThawError("params.yaml: seed: too low; raise it"), 1, "error: params.yaml: seed: too low; raise it\n"),
        (ThawError("a\n  b\r\x1b[1mc\u2028d é\ud800"), 1, "error: a b \\x1b[1mc d é\\ud800\n"),
        (ThawError(f"file: {'x' * 9000}; mend it"), 1, f"error: file: {'x' * 994} ... {'x' * 491}; mend it\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "models/a.keras"),
            1,
            "error: models/a.keras: No space left on device; make room or mend it, then run again\n",
        ),
        (OSError("broken\npipe"), 1, "error: a file: broken pipe; make room or mend it, then run again\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_end_in_one_line(capsys, error, code, line):
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        run(main)
    assert ended.value.code == code
    assert capsys.readouterr().err == line
