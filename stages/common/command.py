"""How a stage's command ends: quietly, or with one line that names the cause and the remedy."""

import errno
import os
import signal
import sys
from collections.abc import Callable

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CLOSED_PIPE = 141  # the exit code that a shell gives a program ended by SIGPIPE
LONGEST_LINE = 2000  # characters: a message repeats names and values of others, which have no limit


class ThawError(Exception):
    """A mistake in the inputs, told in one printable line: the file or key, the cause, the remedy."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class _Terminated(BaseException):
    """SIGTERM, as KeyboardInterrupt is SIGINT."""


def run(main: Callable[[], None]) -> None:
    """Run a stage's `main`; a `ThawError` or `OSError` becomes one line on stderr and exit code 1.

    Ctrl-C and SIGTERM end it quietly, 130 and 143 to a shell; what is finished is kept.
    """
    signal.signal(signal.SIGTERM, _terminated)
    try:
        ended = _ended_by(main)
    finally:
        # From here Python takes itself apart, where a handler's exception would end in a traceback, or nowhere.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
    if isinstance(ended, signal.Signals):
        # Not by `sys.exit`, which waits for TensorFlow's threads: one that reads for an interrupted epoch waits, for
        # ever, for Python.
        signal.raise_signal(ended)
    if ended:
        sys.exit(ended)


def _ended_by(main: Callable[[], None]) -> int | signal.Signals:
    """The exit code of `main`, or the signal that ended it."""
    try:
        main()
    except ThawError as error:
        return _told(str(error))
    except BrokenPipeError:  # whoever read what is printed, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python's last flush meets no pipe
        return CLOSED_PIPE
    except OSError as error:  # a full disk, a file that may not be read: what no stage can mend
        cause = error.strerror or one_line(error)
        remedy = "make room" if error.errno in NO_ROOM else "see that it is there and may be read and written"
        return _told(one_line(f"{error.filename or 'a file'}: {cause}; {remedy}, then run again"))
    except KeyboardInterrupt:
        return signal.SIGINT
    except _Terminated:
        return signal.SIGTERM
    return 0


def _terminated(number: int, _frame: object) -> None:
    raise _Terminated  # what is half-written is removed on the way out


def one_line(text: object) -> str:
    """`text` as one printable line, an error that says nothing by its type.

    What is too long gives way in the middle, before the remedy.
    """
    line = " ".join(each.strip() for each in str(text).splitlines() if each.strip()) or type(text).__name__
    line = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE // 2]} ... {line[-LONGEST_LINE // 4 :]}"


def _told(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1
