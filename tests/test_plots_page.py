"""The page of `dvc plots diff` without a network: a browser draws the curves, and no pictures."""

import re
import shutil
import subprocess
import sys

import pytest
import short_study as short
import yaml
from short_study import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
READ_BY_PLOTS = (
    "dvc.yaml",
    "params.yaml",
    "data/*.yaml",
    ".dvc/config",
    ".dvc/.gitignore",
    ".dvc/plots/*",
    "plots/**/*.*",
)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    """What `dvc plots diff` writes after a set-up, where the trial has changed."""
    folder = tmp_path_factory.mktemp("plots") / "thaw"
    for path in (path for pattern in READ_BY_PLOTS for path in ROOT.glob(pattern) if path.is_file()):
        (folder / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / path.relative_to(ROOT))
    short.run(folder, "git", "init", "--quiet")
    short.commit(folder)
    trial = folder / "plots/trial.csv"
    trial.write_text("".join(trial.read_text().splitlines(keepends=True)[:-2]))
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({str(ROOT)!r}); import stages.plots_page as p; p.main()"],
        cwd=folder,
        check=True,
    )
    short.dvc(folder, "plots", "diff", "--out", "drawn")
    assert short.run(folder, "git", "status", "--porcelain").splitlines() == [" M plots/trial.csv", "?? drawn/"]
    return (folder / "drawn/index.html").read_text(encoding="utf-8")


def test_the_page_loads_nothing_and_shows_the_curves_of_all_variants_before_each_one_s(page):
    _library, drawn = page.split("</script>", 1)
    assert re.findall(r"<(?:script|img|link)[^>]*(?:src|href)=", drawn) == []
    shown = re.findall(r'<div id = "([\w-]+)">', page)
    names = [name for plots in yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"] for name in plots]
    overall = [name.replace(" ", "_") for name in names if not name.startswith("plots/")]  # the rest are files
    assert shown[: len(overall)] == overall
    assert all(name.endswith("_csv") for name in shown[len(overall) :])


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed (Debian: apt install chromium)")
def test_a_browser_without_a_network_draws_every_curve(page, tmp_path):
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"),
        *("--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000", "--dump-dom"),
        (tmp_path / "page.html").as_uri(),
    ]
    drawn = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    charts = len(re.findall(r'<div id = "[\w-]+">', page))
    assert charts > len(list((ROOT / "plots").glob("*.csv")))
    assert len(re.findall(r"<canvas[^>]* width=\"[1-9]", drawn)) == charts
