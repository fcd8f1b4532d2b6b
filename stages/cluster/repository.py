"""The client's git and DVC as workers need them: all committed, a remote that all reach, a bundle to send."""

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
    """Raise ThawError unless the configuration names a default remote that is the same on every machine."""
    # The file itself, because DVC would resolve a relative path from this clone.
    config = ConfigObj(str(root / ".dvc/config"), list_values=False)
    name = config.get("core", {}).get("remote")
    if name is None:
        raise ThawError(f".dvc/config: names no default remote, through which workers share outputs; {REMOTE_REMEDY}")
    url = config.get(f'remote "{name}"', {}).get("url", "")
    if "://" not in url and not Path(url).is_absolute():
        raise ThawError(f".dvc/config: the remote {name} has no absolute path: {url or 'none'}; {REMOTE_REMEDY}")


def check_committed(root: Path, written: Iterable[str]) -> None:
    """Raise ThawError if anything differs from the commit, except in the paths that stages have `written`."""
    apart = [Path(path) for path in written]
    listed = git(root, "status", "--porcelain", "--untracked-files=all", "--no-renames", "-z")
    changes = [line[3:] for line in listed.split("\0") if line]
    foreign = [path for path in changes if not any(Path(path).is_relative_to(folder) for folder in apart)]
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise ThawError(
            f"{foreign[0]}{more}: not committed, so no worker has it; "
            "commit it, or put it aside with `git stash --include-untracked`"
        )


def commit(root: Path) -> str:
    """The full hash of the commit that is checked out."""
    return git(root, "rev-parse", "HEAD").strip()


def bundle(root: Path) -> bytes:
    """The commit and its history as a git bundle, which can be cloned without a server."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "commit.bundle"
        git(root, "bundle", "create", "--quiet", str(path), "HEAD")
        return path.read_bytes()


def pull(root: Path, targets: Sequence[str], *, allow_missing: bool = False) -> None:
    """Fetch the cached outputs of `targets` and of all stages above them, and replace what is in the workspace.

    Without targets, of all stages: with a name for each, DVC would read its files each time. Raises ThawError.
    """
    with remote_errors(), Repo(str(root), _wait_for_lock=True) as repo:
        repo.pull(targets=list(targets) or None, with_deps=True, force=True, allow_missing=allow_missing)


def push(root: Path, targets: Sequence[str]) -> None:
    """Send the cached outputs of `targets` and of all stages above them to the remote; raises ThawError."""
    with remote_errors(), Repo(str(root), _wait_for_lock=True) as repo:
        repo.push(targets=list(targets) or None, with_deps=True)


def pull_outputs(repo: Repo, outputs: Iterable[Output], part: str | None = None) -> None:
    """Check out `outputs`, or the part of them at the path `part`, as the lock file has them.

    Raises ThawError if the remote lacks one.
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
    """What git prints; raises ThawError with the last line of its error if it fails."""
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
    """Turns a remote's failure into one line: each kind of remote raises the errors of its own library."""
    try:
        yield
    except ThawError:
        raise
    except Exception as error:
        cause = one_line(error)
        raise ThawError(f"DVC remote: {cause}; check with `dvc status --cloud` that it can be reached") from error


def _check_moved(output: Output, failed: Iterable[object]) -> None:
    if failed:
        raise ThawError(f"{output}: not completely copied to or from DVC's remote; check with `dvc status --cloud`")
