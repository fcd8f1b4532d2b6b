"""The head's git and DVC as workers need them: all committed, a remote that everybody knows, a bundle to send."""

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from configobj import ConfigObj
from dvc.output import Output
from dvc.repo import Repo

from stages.common.command import ThawError, one_line

REMOTE_REMEDY = (
    "`dvc remote add --default store ssh://user@host/folder` (or s3://bucket/folder, or /folder), "
    "then `git commit .dvc/config` (docs/scale.md)"
)


def check_remote(root: Path) -> None:
    """Raise ThawError unless the committed configuration names a default remote that is the same everywhere."""
    # The file itself: DVC would read a relative path as one from the clone that it is in.
    config = ConfigObj(str(root / ".dvc/config"), list_values=False)
    name = config.get("core", {}).get("remote")
    if name is None:
        raise ThawError(f".dvc/config: names no default remote, by which workers share outputs; {REMOTE_REMEDY}")
    url = config.get(f'remote "{name}"', {}).get("url", "")
    if "://" not in url and not Path(url).is_absolute():
        raise ThawError(f".dvc/config: the remote {name} is no absolute path: {url or 'none'}; {REMOTE_REMEDY}")


def check_committed(root: Path, written: Iterable[str]) -> None:
    """Raise ThawError where something differs from the commit, except below the paths that stages have `written`."""
    apart = [Path(path) for path in written]
    listed = git(root, "status", "--porcelain", "--untracked-files=all", "--no-renames", "-z")
    changes = [line[3:] for line in listed.split("\0") if line]
    foreign = [path for path in changes if not any(Path(path).is_relative_to(folder) for folder in apart)]
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise ThawError(
            f"{foreign[0]}{more}: not committed, so that no worker has it; "
            "`git commit` it, or put it aside: `git stash --include-untracked`"
        )


def commit(root: Path) -> str:
    """The commit that is checked out, in full."""
    return git(root, "rev-parse", "HEAD").strip()


def bundle(root: Path) -> bytes:
    """The commit and its history as a git bundle, which clones without any server."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "commit.bundle"
        git(root, "bundle", "create", "--quiet", str(path), "HEAD")
        return path.read_bytes()


def pull(root: Path, targets: Sequence[str], *, allow_missing: bool = False) -> None:
    """Fetch the cached outputs of `targets` and of all above them, and put them in place of what is there.

    Raises ThawError. All stages where no targets are given: a name for each would have DVC read its files each time.
    """
    with remote_errors(), Repo(str(root), _wait_for_lock=True) as repo:
        repo.pull(targets=list(targets) or None, with_deps=True, force=True, allow_missing=allow_missing)


def push(root: Path, targets: Sequence[str]) -> None:
    """Send the cached outputs of `targets` and of all above them to the remote; raises ThawError."""
    with remote_errors(), Repo(str(root), _wait_for_lock=True) as repo:
        repo.push(targets=list(targets) or None, with_deps=True)


def pull_outputs(repo: Repo, outputs: Iterable[Output], part: str | None = None) -> None:
    """Put `outputs`, or of each the `part` with that path, in place as the lock file has them.

    Raises ThawError where the remote lacks one.
    """
    with remote_errors():
        for output in outputs:
            for store, objects in output.get_used_objs(filter_info=part).items():
                _check_moved(output, repo.cloud.pull(objects, odb=store).failed)
            output.checkout(force=True, filter_info=part)


def push_outputs(repo: Repo, outputs: Iterable[Output]) -> None:
    """Send `outputs` to the remote; raises ThawError."""
    with remote_errors():
        for output in outputs:
            for store, objects in output.get_used_objs(push=True).items():
                _check_moved(output, repo.cloud.push(objects, odb=store).failed)


def git(root: Path, *arguments: str) -> str:
    """What git prints; raises ThawError with its last line where it fails."""
    command = ["git", "-C", str(root), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 (no shell)
    except FileNotFoundError:
        raise ThawError("git: not found; install it") from None
    except subprocess.CalledProcessError as error:
        cause = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ThawError(f"git {arguments[0]}: {cause}; run it in a clone of the repository") from None


@contextmanager
def remote_errors() -> Iterator[None]:
    """A remote's failure in one line: each kind of remote raises errors of its own library."""
    try:
        yield
    except ThawError:
        raise
    except Exception as error:
        cause = one_line(error)
        raise ThawError(f"DVC remote: {cause}; see that `dvc status --cloud` reaches it") from error


def _check_moved(output: Output, failed: Iterable[object]) -> None:
    if failed:
        raise ThawError(f"{output}: not moved whole between DVC's remote and here; see what `dvc status --cloud` says")
