"""How a stage's command ends: quietly, or with one line that names the cause and the remedy."""

import sys
from collections.abc import Callable


class ThawError(Exception):
    """A mistake in the inputs, told in one line: the file or key, the cause, the remedy."""


def run(main: Callable[[], None]) -> None:
    """Run a stage's `main`; a `ThawError` becomes one line on stderr and exit code 1."""
    try:
        main()
    except ThawError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)  # the shell's code for Ctrl-C; what is finished is kept
