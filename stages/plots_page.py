"""Writes the page that `dvc plots` fills, with its chart library inside: DVC's own loads it from the network.

`make setup` runs it in the repository. It names the page in the settings of this clone alone, so that a clone without
it has DVC's own.
"""

from importlib import resources
from pathlib import Path

from dvc.config import Config
from dvc_render.html import PAGE_HTML

from stages.common import tables
from stages.common.command import run

DVC = Path(".dvc")
PAGE = "plots.html"  # below DVC, from where DVC sees the path
LIBRARY = "static/js_lib_vega_embed/vega-embed-full.js"  # Vega, Vega-Lite and Vega-Embed, as they are published
SCRIPTS = "{scripts}"  # where DVC's page names what it loads


def main() -> None:
    library = resources.files("js_lib_vega_embed").joinpath(LIBRARY).read_text(encoding="utf-8")
    tables.write_text(PAGE_HTML.replace(SCRIPTS, f'<meta charset="utf-8">\n<script>{library}</script>'), DVC / PAGE)
    with Config(DVC.resolve()).edit("local") as settings:
        settings["plots"]["html_template"] = PAGE


if __name__ == "__main__":
    run(main)
