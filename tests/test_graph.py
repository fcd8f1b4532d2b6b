"""What dvc.yaml promises, by DVC's real commands in a clone whose stages take no time; and that it stays one page."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import dummy_study
import pytest
import short_study as short
import warm_python
import yaml
from dummy_study import params, write_params
from dvc.repo import Repo
from short_study import ROOT, dvc, ran

from stages.cluster import plan
from stages.common import code
from stages.common import params as real_params

PAGE = 260  # lines
DVC_YAML = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
STAGES = {name: stage.get("do", stage) for name, stage in yaml.safe_load(DVC_YAML)["stages"].items()}
PARAMS = real_params.load(ROOT / "params.yaml")
GRID = {
    "cats_dogs": [(30, 1), (20, 11), (10, 21), (0, 31)],
    "roses_tulips": [(50, 1), (40, 11), (30, 21), (20, 31), (10, 41), (0, 51)],
}  # the paper's
TABLES = ["summarize", "costs", "figures", "answer", "report", "export"]  # what reads all variants, in DVC's order
FEW = ["roses_tulips-40-11-moving", "roses_tulips-0-51"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A study of few variants, run by make and committed; and what that said. To read only."""
    folder = dummy_study.write(tmp_path_factory.mktemp("few") / "thaw", FEW)
    output = make(folder, "repro", JOBS="1")
    short.commit(folder)
    return folder, output


@pytest.fixture
def few(made: tuple[Path, str]) -> Path:
    """The study of few variants; to read only."""
    return made[0]


@pytest.fixture
def study(few: Path, tmp_path: Path) -> Path:
    """A copy of the study of few variants, for a test to change."""
    return shutil.copytree(few, tmp_path / "thaw", symlinks=True)


def make(folder: Path, target: str, code: int = 0, **variables: str) -> str:
    """What make prints of `target`, in an environment that is this one."""
    scripts = folder / ".venv/bin"
    scripts.mkdir(parents=True, exist_ok=True)
    python = warm_python.folder() / "python"
    for name, options in (("python", ""), ("dvc", "-m dvc")):
        # The second line is for the Makefile, which looks whether the environment was made where it lies.
        script = f'#!/bin/sh\n# {scripts / "python"}\nexec {python} {options} "$@"\n'
        (scripts / name).write_text(script)
        (scripts / name).chmod(0o755)
    (folder / ".venv/ready").touch()
    command = ["make", target, *(f"{name}={value}" for name, value in variables.items())]
    ended = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def refused(folder: Path, *arguments: str) -> list[str]:
    """What `dvc` prints, which must fail."""
    command = ["python", "-m", "dvc", *arguments]
    ended = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert ended.returncode != 0, ended.stdout + ended.stderr
    return (ended.stdout + ended.stderr).splitlines()


def environment() -> dict[str, str]:
    scripts = warm_python.folder()
    return os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "true"}


def changed(folder: Path) -> list[str]:
    """What git sees changed, by its short status."""
    return short.run(folder, "git", "status", "--porcelain").splitlines()


# What a change reruns.


def test_a_second_repro_runs_nothing(few):
    output = dvc(few, "repro")
    assert ran(output) == []
    assert output.endswith("Data and pipelines are up to date.\n")
    assert changed(few) == []


def test_a_schedule_is_tried_by_an_experiment_and_may_have_keys_of_its_own(study):
    output = dvc(study, "exp", "run", "-S", "schedule.fine=51", "-S", "++schedule.unfreezing=gradual")
    assert ran(output) == ["trial", *TABLES]
    assert (study / "dvc.yaml").read_text() == DVC_YAML
    assert json.loads((study / "metrics/trial.json").read_text())["fine"] == 51
    assert params(study)["schedule"]["unfreezing"] == "gradual"


def test_schedules_wait_in_the_queue(study):
    # With the stages below the trial, each of the two takes ten times as long.
    dvc(study, "exp", "run", "--queue", "-S", "schedule.fine=1,11", "trial")
    dvc(study, "queue", "start")
    experiments = _finished_experiments(study, 2)
    fine = [json.loads(short.run(study, "git", "show", f"{each}:metrics/trial.json"))["fine"] for each in experiments]
    assert sorted(fine) == [1, 11]
    assert changed(study) == []


def _finished_experiments(folder: Path, count: int) -> list[str]:
    """The commits of `count` experiments, once they are there."""
    for _ in range(600):
        found = short.run(folder, "git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
        names = [name for name in found if re.fullmatch(r"refs/exps/\w\w/\w+/[\w-]+", name)]
        if len(names) == count:
            return names
        time.sleep(0.2)
    raise AssertionError(dvc(folder, "queue", "status"))


def test_a_new_variant_is_an_entry_of_the_params(study):
    entry = "+variants.roses_tulips-25-26={dataset: roses_tulips, transfer: 25, fine: 26}"
    # The transfer phase reads for which heads the variants ask; what it writes is the same.
    expected = ["transfer@roses_tulips", "train@roses_tulips-25-26", *TABLES]
    assert ran(dvc(study, "exp", "run", "-S", entry)) == expected
    assert "roses_tulips-25-26" in _tables(study)
    assert (study / "dvc.yaml").read_text() == DVC_YAML


def test_a_removed_variant_leaves_no_trace_in_the_tables_and_make_deletes_the_rest(study):
    removed, kept = FEW
    content = params(study)
    del content["variants"][removed]
    write_params(study, content)
    written = ["results", "models", "metrics", "plots", "plots/seconds"]
    left = [path for place in written for path in (study / place).glob(f"{removed}*")]
    assert len(left) == len(written)
    assert ran(dvc(study, "repro")) == ["transfer@roses_tulips", *TABLES]
    assert removed not in _tables(study)
    assert all(path.exists() for path in left)
    # `results` has changed; two at a time end in any order.
    assert sorted(ran(make(study, "repro", JOBS="2"))) == sorted(TABLES)
    assert removed not in _tables(study)
    assert not any(path.exists() for path in left)
    assert all(
        (study / path).exists() for path in (f"results/{kept}", "results/trial", "results/roses_tulips-converged")
    )
    assert _plan(study).tasks == ()


def test_make_deletes_nothing_where_dvc_cannot_read_the_graph(study):
    (study / "params.yaml").write_text("variants: [")
    assert "params.yaml" in make(study, "leftovers", code=2)
    assert changed(study) == [" M params.yaml"]
    assert len(list((study / "results").iterdir())) == len(FEW) + 2


def test_make_repro_runs_all_and_what_has_the_most_fine_epochs_first(made):
    folder, output = made
    trained = [name for name in ran(output) if name.startswith(("train@", "trial"))]
    assert trained == ["trial", "train@roses_tulips-0-51", "train@roses_tulips-40-11-moving"]
    planned = _plan(folder)
    assert planned.tasks == ()
    assert sorted(ran(output)) == sorted(task.stage for task in planned.settled)


def _tables(folder: Path) -> str:
    """All that the tables, the figures' names and the summaries hold."""
    files = [*(folder / "plots/tables").iterdir(), folder / "metrics/summary.json", folder / "metrics/claims.json"]
    figures = [path.name for path in (folder / "plots/figures").iterdir()]
    return "\n".join([*(path.read_text() for path in files), *figures])


def test_variants_train_side_by_side(study):
    names = FEW
    for name in names:
        shutil.rmtree(study / "models" / name)
    command = ["python", "-m", "dvc", "--wait-for-lock", "repro", "--single-item"]
    running = [
        subprocess.Popen([*command, f"train@{name}"], cwd=study, env=environment(), stdout=subprocess.PIPE, text=True)
        for name in names
    ]
    for process, name in zip(running, names, strict=True):
        output, _ = process.communicate()
        assert (process.returncode, ran(output)) == (0, [f"train@{name}"])
    assert ran(dvc(study, "repro")) == []


@pytest.mark.parametrize(
    ("package", "stages"),
    {
        "common": ["download", "split", "features", "transfer", "train", "trial", *TABLES],
        "sources": ["download", "split"],
        "pictures": ["download", "split", "features", "transfer", "train", "trial", *TABLES],
        "network": ["features", "transfer", "train", "trial", "answer", "export"],
        "training": ["transfer", "train", "trial", "answer"],
        "trained": ["answer", "export"],
        "results": ["transfer", "train", "trial", *TABLES],
        "study": TABLES,
        "drawing": ["costs", "figures", "answer"],
        "pages": ["report", "export"],
        "cluster": [],
    }.items(),
)
def test_a_change_in_a_package_reruns(few, package, stages, touched):
    touched(few / "stages" / package / "new.py")
    with Repo(str(few)) as repo:
        assert {name.split("@")[0].split(":")[-1] for name in repo.status()} == set(stages)


@pytest.mark.parametrize("name", ["__pycache__/comparisons.cpython-311.pyc", ".comparisons.py.swp", "comparisons.py~"])
def test_what_python_and_editors_leave_in_a_package_reruns_nothing(few, name, touched):
    touched(few / "stages/study" / name)
    with Repo(str(few)) as repo:
        assert repo.status() == {}


@pytest.fixture
def touched() -> Iterator:
    """Make a file, which is gone after the test."""
    made = []

    def make(path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n")
        made.append(path)

    yield make
    for path in made:
        path.unlink()


def test_a_change_in_how_results_are_compared_trains_nothing(study):
    (study / "stages/study/comparisons.py").write_text("ALPHA = 0.05\n")
    assert ran(dvc(study, "repro")) == TABLES


# Data of one's own.


@pytest.fixture
def own_data(study: Path) -> Path:
    """The finished study, its data sets replaced by one's own in a manifest and params.yaml."""
    manifest = yaml.safe_load((study / "data/embedded.yaml").read_text())
    manifest["downloads"] = {"birds": manifest["downloads"]["cats_dogs"], "weights": manifest["downloads"]["weights"]}
    manifest["datasets"] = {"birds": manifest["datasets"]["cats_dogs"]}
    (study / "data/mine.yaml").write_text(yaml.safe_dump(manifest))
    schedules = {
        f"birds-{transfer}-{3 - transfer}": {"transfer": transfer, "fine": 3 - transfer} for transfer in (1, 2)
    }
    own = {
        "source": "data/mine.yaml",
        "downloads": ["birds", "weights"],
        "budget": {"birds": 3},
        "variants": {name: {"dataset": "birds", **schedule} for name, schedule in schedules.items()},
        "schedule": {"dataset": "birds", "transfer": 0, "fine": 3},
    }
    write_params(study, params(study) | own)
    return study


def test_another_data_set_is_a_manifest_and_params(own_data):
    own = ["birds-1-2", "birds-2-1"]
    prepared = ["download@birds", "download@weights", "split@birds", "features@birds", "transfer@birds"]
    short.commit(own_data)
    output = dvc(own_data, "exp", "run", "-S", "schedule.fine=1")
    assert sorted(ran(output)) == sorted([*prepared, *(f"train@{name}" for name in own), "trial", *TABLES])
    assert (own_data / "dvc.yaml").read_text() == DVC_YAML
    assert list(json.loads((own_data / "metrics/summary.json").read_text())) == [*own, "trial"]
    assert not re.search("cats_dogs|roses_tulips", _tables(own_data))
    deleted = [line for line in changed(own_data) if "D" in line[:2]]
    anew = (" D plots/figures/", " D plots/confusion/")  # folders that were drawn anew
    assert [line for line in deleted if not line.startswith(anew)] == []
    assert ran(dvc(own_data, "repro")) == []


def test_an_experiment_that_does_not_run_here_needs_the_manifest_in_git(own_data):
    experiment = ("exp", "run", "--temp", "-S", "schedule.fine=1", "split@birds")
    assert any("'downloads.birds' are missing from 'data/mine.yaml'" in line for line in refused(own_data, *experiment))
    short.run(own_data, "git", "add", "data/mine.yaml")
    assert "split@birds" in ran(dvc(own_data, *experiment))


def test_classes_may_have_names_that_yaml_mistakes_and_eyes_overlook(own_data):
    path = own_data / "data/mine.yaml"
    text = path.read_text()
    for name, other in (("cats", "yes"), ("dogs", "un\u00a0ripe\u3000")):
        text = re.sub(rf"^( +){name}:", rf"\1{other}:", text, flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8")
    assert yaml.safe_load(text)["datasets"]["birds"]["classes"].keys() == {True, "un\u00a0ripe\u3000"}
    assert ran(dvc(own_data, "repro", "train@birds-1-2"))[-1] == "train@birds-1-2"
    assert ran(dvc(own_data, "repro", "train@birds-1-2")) == []


def test_a_source_may_have_a_space_in_its_path(study):
    shutil.copy(study / "data/embedded.yaml", study / "data/my pictures.yaml")
    short.commit(study)
    output = dvc(study, "exp", "run", "-S", "source=data/my pictures.yaml", "-S", "schedule.fine=1", "trial")
    assert {name.partition("@")[0] for name in ran(output)} == {"download", "split", "features", "transfer", "trial"}
    assert params(study)["source"] == "data/my pictures.yaml"
    commands = [shlex.split(line[2:]) for line in dvc(study, "repro", "--dry").splitlines() if line.startswith("> ")]
    sources = [command[command.index("--source") + 1] for command in commands if "--source" in command]
    assert set(sources) == {"data/my pictures.yaml"}
    assert len(sources) == len(FEW) + len(TABLES)
    manifest = yaml.safe_load((study / "data/my pictures.yaml").read_text())
    manifest["datasets"]["roses_tulips"]["split"]["seed"] += 1
    (study / "data/my pictures.yaml").write_text(yaml.safe_dump(manifest))
    assert ran(dvc(study, "repro", "split@roses_tulips")) == ["split@roses_tulips"]


# What fails, and what would have no effect.

REFUSED = {
    "variants.trial.fine=7": "Key 'trial' is not in struct",
    "+variants.trial={dataset: roses_tulips, transfer: 0, fine: 21}": "output 'models/trial' is specified in",
    "schedule.fin=3": "Key 'fin' is not in struct",
    "+schedule.fin=3": "error: params.yaml: unknown key 'schedule.fin'; did you mean 'fine'?",
    "+nonsense=1": "error: params.yaml: unknown key 'nonsense'; known here: ",
    "variants.roses_tulips-0-51.fine=5": "error: params.yaml: variants: ",
}


@pytest.mark.parametrize(("change", "message"), REFUSED.items(), ids=REFUSED)
def test_a_change_without_effect_is_refused_and_deletes_no_committed_result(study, change, message, fault):
    lines = refused(study, "exp", "run", "-S", change)
    told = [line for line in lines if message in line]
    assert len(told) == 1, lines
    assert not any("Traceback" in line for line in lines)
    assert [line for line in changed(study) if line != " M params.yaml"] == []
    fault("params", f"dvc exp run -S '{change}'", 1, told[0])


@pytest.mark.parametrize("stage", ["train", "report"])
def test_a_stage_that_fails_deletes_no_committed_result(study, stage):
    (study / f"stages/{stage}.py").write_text("raise SystemExit(1)\n")
    refused(study, "repro")
    assert [line for line in changed(study) if not line.startswith(" M")] == []


# In a clone.


def test_a_clone_without_a_cache_shows_metrics_plots_and_experiments(study, tmp_path):
    content = params(study)
    content["schedule"]["fine"] = 51
    write_params(study, content)
    dvc(study, "repro")
    short.commit(study)
    clone = tmp_path / "clone"
    short.run(tmp_path, "git", "clone", "--quiet", str(study), str(clone))
    changes = json.loads(dvc(clone, "metrics", "diff", "HEAD~1", "--json"))
    assert changes["metrics/trial.json"]["fine"] == {"old": 21, "new": 51, "diff": 30}
    dvc(clone, "plots", "diff", "HEAD~1", "--out", "drawn")
    page = (clone / "drawn/index.html").read_text()
    for title in (plot for plots in yaml.safe_load(DVC_YAML)["plots"] for plot in plots):
        assert title in page
    assert '"rev": "HEAD~1"' in page
    assert '"variant": "roses_tulips-40-11-moving"' in page
    (shown,) = (each for each in json.loads(dvc(clone, "exp", "show", "--json")) if each["rev"] == "workspace")
    assert shown["data"]["metrics"]["metrics/trial.json"]["data"]["fine"] == 51


# The page.


def test_the_graph_is_one_page_that_names_no_variant_no_data_set_and_no_module():
    assert len(DVC_YAML.splitlines()) <= PAGE
    manifests = [yaml.safe_load(path.read_text()) for path in (ROOT / "data").glob("*.yaml")]
    datasets = {name for manifest in manifests for name in manifest.get("datasets", ())}
    assert datasets >= GRID.keys()
    assert [name for name in {*datasets, *PARAMS.variants} if name in DVC_YAML] == []
    assert re.findall(r"stages/\w+/\w+", DVC_YAML) == []


def imported(module: Path) -> set[str]:
    """The packages, and modules beside `module`, that it imports from `stages`."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "stages":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("stages."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("stages.")}
    return found


def needed(module: Path) -> set[str]:
    """The packages that `module` imports, directly or through them."""
    found, to_read = set(), [module]
    while to_read:
        for name in imported(to_read.pop()) - found:
            found.add(name)
            to_read += (code.STAGES / name).glob("**/*.py")
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_packages_that_it_imports_and_on_what_bears_its_name(stage):
    module = re.search(r"python -m stages\.(\w+)", STAGES[stage]["cmd"])[1]
    own = {f"stages/{path.name}" for path in code.STAGES.glob(f"{module}.*")}
    declared = {path for path in STAGES[stage]["deps"] if path.startswith("stages/")}
    assert declared == own | {f"stages/{name}" for name in needed(code.STAGES / f"{module}.py")}


def test_what_is_in_git_is_kept_where_a_stage_fails(few):
    with Repo(str(few)) as repo:
        in_git = [out for stage in repo.index.stages for out in stage.outs if not out.use_cache]
        assert all(out.persist for out in in_git)
        tracked = short.run(few, "git", "ls-files", "metrics", "plots").split()
        paths = [Path(out.def_path) for out in in_git]
        assert [name for name in tracked if not any(Path(name).is_relative_to(path) for path in paths)] == []


# The grid.


def test_the_stages_are_named_after_the_params():
    expected = [
        *(f"download@{name}" for name in PARAMS.downloads),
        *(f"{stage}@{name}" for stage in ("split", "features", "transfer") for name in PARAMS.budget),
        *(f"train@{name}" for name in PARAMS.variants),
        "trial",
        *TABLES,
    ]
    assert dvc(ROOT, "stage", "list", "--name-only").split() == expected


def test_the_thesis_s_schedules_are_in_the_study_and_spend_the_budgets():
    defaults = [each for each in PARAMS.variants.values() if not each.own_keys]
    found = {name: [(each.transfer, each.fine) for each in defaults if each.dataset == name] for name in PARAMS.budget}
    for name, grid in GRID.items():
        assert set(grid) <= set(found[name])
        assert {sum(schedule) for schedule in grid} == {PARAMS.budget[name]}


def test_a_variant_s_own_keys_change_what_is_trained():
    differing = [each for each in PARAMS.variants.values() if each.own_keys]
    assert differing
    for schedule in differing:
        assert PARAMS.of(schedule) != PARAMS


def test_the_trial_is_no_variant_of_the_grid():
    assert (PARAMS.schedule.transfer, PARAMS.schedule.fine) not in GRID[PARAMS.schedule.dataset]


# On a cluster.


def _plan(folder: Path) -> plan.Plan:
    before = Path.cwd()
    os.chdir(folder)  # DVC's targets are relative to it
    try:
        return plan.read(folder, [], allow_missing=False)
    finally:
        os.chdir(before)


def test_workers_are_told_what_a_stage_reads(tmp_path):
    names = ["cats_dogs-30-1", "cats_dogs-20-11-moving", "roses_tulips-20-31"]
    folder = dummy_study.write(tmp_path / "thaw", names)
    tasks = {task.stage: task for task in _plan(folder).tasks}
    trained = [*(f"train@{name}" for name in names), "trial"]
    transfers = ["transfer@cats_dogs", "transfer@roses_tulips"]
    names.append("trial")
    results = [f"results/{name}" for name in (*names, "cats_dogs-converged", "roses_tulips-converged")]
    seconds = [f"plots/seconds/{name}.csv" for name in (*names, "cats_dogs-transfer", "roses_tulips-transfer")]
    models = [f"models/{name}" for name in (*names, "transfer/cats_dogs", "transfer/roses_tulips")]
    images = ["data/images/cats_dogs", "data/images/roses_tulips"]
    splits = ["split@cats_dogs", "split@roses_tulips"]
    read = {name: (sorted(tasks[name].after), sorted(tasks[name].pulls)) for name in TABLES}
    assert read == {
        "summarize": (sorted([*trained, *transfers]), sorted(results)),
        "costs": (sorted([*trained, *transfers]), sorted([*results, *seconds])),
        "figures": (sorted([*trained, *transfers, "summarize"]), sorted(results)),
        "answer": (
            sorted([*splits, *trained, *transfers]),
            sorted([*images, *results, *models, "data/splits/cats_dogs.csv", "data/splits/roses_tulips.csv"]),
        ),
        "report": (
            sorted([*splits, *trained, *transfers, "summarize", "costs", "figures", "answer"]),
            sorted([*images, *results]),
        ),
        "export": (sorted([*splits, *trained, *transfers]), sorted([*images, *results, *models])),
    }
    variant = tasks["train@roses_tulips-20-31"]
    assert sorted(variant.after) == ["download@weights", "features@roses_tulips", "split@roses_tulips", transfers[1]]
    assert sorted(variant.pulls) == [
        "data/features/roses_tulips.json",
        "data/images/roses_tulips",
        "data/raw/weights",
        "data/splits/roses_tulips.csv",
        "models/transfer/roses_tulips",
    ]
    assert sorted(variant.outputs) == ["metrics/roses_tulips-20-31.json", "plots/roses_tulips-20-31.csv"]
    assert (variant.beside, variant.cost) == ("data/features/roses_tulips", 31)
