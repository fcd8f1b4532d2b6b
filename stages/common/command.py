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


def run(main: Callable[[], None]) -> None:
    """Run a stage's `main`; a `ThawError` or `OSError` becomes one line on stderr and exit code 1.

    Ctrl-C and SIGTERM end it quietly, 130 and 143 to a shell; what is finished is kept.
    """
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
    received = []

    def interrupt(number: int, _frame: object) -> None:
        received.append(signal.Signals(number))
        sys.unraisablehook = lambda unraisable: None  # what fails in a destructor now follows from the interruption
        raise KeyboardInterrupt  # what is half-written is removed on the way out

    signal.signal(signal.SIGTERM, interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell ignores it for what runs behind
        signal.signal(signal.SIGINT, interrupt)
    try:
        main()
    except BaseException as error:
        # Whatever it is: while TensorFlow traces, its C code makes a SystemError of a KeyboardInterrupt now and then.
        return received[0] if received else _exit_code(error)
    return 0


def _exit_code(error: BaseException) -> int:
    """The exit code of a `main` that failed by `error`, which is raised again if no stage expects it."""
    match error:
        case ThawError():
            return _told(str(error))
        case BrokenPipeError():  # whoever read what is printed, such as `head`, has enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python's last flush meets no pipe
            return CLOSED_PIPE
        case OSError():  # a full disk, a file that may not be read: what no stage can mend
            cause = error.strerror or one_line(error)
            remedy = "make room" if error.errno in NO_ROOM else "see that it is there and may be read and written"
            return _told(one_line(f"{error.filename or 'a file'}: {cause}; {remedy}, then run again"))
    raise error


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
