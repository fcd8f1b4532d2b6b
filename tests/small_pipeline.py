"""A pipeline of the study's form whose stages take no time: it copies texts, and says in metrics how long they are."""

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import short_study as short
import yaml

STEP = """
import json, sys
from pathlib import Path
*inputs, output = sys.argv[1:]
text = "".join(Path(name).read_text() for name in inputs)
if "broken" in text:
    print("error: a text: is broken; mend it", file=sys.stderr)
    sys.exit(1)
Path(output).parent.mkdir(parents=True, exist_ok=True)
Path(output).write_text(json.dumps({"length": len(text)}) if output.endswith("json") else text.strip() + "\\n")
"""
_folder = TemporaryDirectory()  # until the process ends
PIPELINE = {
    "stages": {
        "split": {
            "foreach": ["cats", "dogs"],
            "do": {
                "cmd": "python step.py texts/${item}.txt data/${item}/text.txt",
                "deps": ["step.py", "texts/${item}.txt"],
                "outs": ["data/${item}"],
            },
        },
        "train": {
            "foreach": ["cats", "dogs"],
            "do": {
                "cmd": [
                    "python step.py data/${item}/text.txt models/${item}.txt",
                    "python step.py data/${item}/text.txt metrics/${item}.json",
                ],
                "deps": ["step.py", "data/${item}/text.txt"],
                "outs": ["models/${item}.txt"],
                "metrics": [{"metrics/${item}.json": {"cache": False}}],
                "meta": {"beside": "work/${item}", "cost": 3},
            },
        },
        "summarize": {
            "cmd": "python step.py metrics/cats.json metrics/dogs.json plots/all/lengths.json",
            "deps": ["step.py", "metrics/cats.json", "metrics/dogs.json"],
            "outs": [{"plots/all": {"cache": False}}],
        },
    }
}


def write(folder: Path, remote: Path | None) -> Path:
    """The pipeline in a repository of its own, committed, with the stages' code and a remote in a folder."""
    shutil.copytree(_without_remote(), folder)
    if remote:
        with (folder / ".dvc/config").open("a") as config:
            config.write(f"[core]\n    remote = store\n['remote \"store\"']\n    url = {remote}\n")
        short.commit(folder)
    return folder


@cache
def _without_remote() -> Path:
    folder = Path(_folder.name) / "small"
    folder.mkdir()
    shutil.copytree(short.ROOT / "stages", folder / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(short.ROOT / "params.yaml", folder)
    (folder / "step.py").write_text(STEP)
    (folder / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE, sort_keys=False))
    (folder / ".gitignore").write_text("/data/\n/models/\nwork/\n__pycache__/\n")
    (folder / "texts").mkdir()
    for name in ("cats", "dogs"):
        (folder / f"texts/{name}.txt").write_text(name)
    short.run(folder, "git", "init", "--quiet")
    short.dvc(folder, "init", "--quiet")
    short.commit(folder)
    return folder
