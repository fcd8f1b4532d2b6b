"""The report of a small finished run: what it says, that it carries all it shows, and how a browser shows it."""

import base64
import io
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import finished_run
import numpy as np
import pytest
import yaml
from conftest import SMALL_MANIFEST
from PIL import Image

from stages import report
from stages.common import tables
from stages.common.command import ThawError
from stages.pages import answer, data_address
from stages.study import recommendation

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
TITLE = "<i>small</i> & things"
# Of flowers' one schedule the losses after the last epoch are such that two pictures of four are misclassified.
FLOWERS = [(0.6, 0.65, 0.65, 0.6), (0.6, 0.65, 0.7, 0.65)]
WRONG = 2
PICTURES = [*finished_run.SCHEDULES, "animals", "flowers", "fine_share", "costs", "dip", "styles", "switch"]
MAKER = re.compile(r" (http://)?[\w.-]+\.(google|googleapis|gvt1)\.com[:/]")  # whom Chromium itself asks, of any page
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">')
# Written into a copy of the page: once all is loaded, what a browser made of it stands in the page's text.
PROBE = """<script>
addEventListener("load", () => {
  const broken = [...document.images].filter(image => !(image.complete && image.naturalWidth)).length;
  const fetched = performance.getEntriesByType("resource").filter(entry => !entry.name.startsWith("data:")).length;
  const over = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const told = `images ${document.images.length} broken ${broken} fetched ${fetched} over ${over}`;
  document.body.append(Object.assign(document.createElement("output"), {textContent: told}));
});
</script>"""


@pytest.fixture(scope="module", params=[(1,), (1, 2, 3)], ids=["one repeat", "three repeats"])
def finished(request, tmp_path_factory):
    """A finished run with its images, params and report; no test changes it."""
    folder = tmp_path_factory.mktemp("finished")
    source = folder / "small.yaml"
    source.write_text(yaml.safe_dump(yaml.safe_load(SMALL_MANIFEST) | {"title": TITLE}, sort_keys=False))
    write_images(folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(finished_run.EPOCHS, "flowers-1-1", FLOWERS)
        finished_run.finish(folder, source, monkeypatch, request.param)
        finished_run.add_answer(folder, source, monkeypatch)
        with (folder / "params.yaml").open("a", encoding="utf-8") as params:
            params.write("# <b>paper</b>\n")
        finished_run.call(report.main, monkeypatch, finished_run.report_options(folder, source))
    return folder


@pytest.fixture
def page(finished):
    return (finished / "plots" / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def run(finished, tmp_path):
    """A copy of the finished run without its report, for a test to change."""
    folder = shutil.copytree(finished, tmp_path / "run")
    (folder / "plots" / "report.html").unlink()
    return folder


@pytest.fixture
def write_report(finished, run, monkeypatch):
    """Have the stage write the report of the copy; returns its text."""

    def write():
        finished_run.call(report.main, monkeypatch, finished_run.report_options(run, finished / "small.yaml"))
        return (run / "plots" / "report.html").read_text(encoding="utf-8")

    return write


def write_images(folder):
    for dataset in ("animals", "flowers"):
        (folder / "images" / dataset).mkdir(parents=True)
        for number in range(len(finished_run.IMAGES)):
            Image.new("RGB", (800, 400), "olive").save(folder / "images" / dataset / f"{number}.png")


def repeat_count(finished):
    """The number of repeats, which all data sets of the run have."""
    (count,) = {len(each) for each in tables.read_json(finished / "metrics" / "claims.json")["repeats"].values()}
    return count


class Elements(HTMLParser):
    """All elements of a page, with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)


def test_everything_that_the_page_shows_is_inside_it(page):
    elements = Elements(page).found
    addresses = [
        value for _, attributes in elements for name, value in attributes.items() if name in ("src", "href", "srcset")
    ]
    assert len(addresses) > len(PICTURES)
    assert [address for address in addresses if not address.startswith(("data:", "#"))] == []
    assert not {"script", "iframe", "object", "embed", "form", "base"} & {tag for tag, _ in elements}
    assert "url(" not in page
    assert "@import" not in page


def test_its_policy_allows_pictures_inside_it_and_its_own_style_alone(page):
    (policy,) = POLICY.findall(page)
    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    assert directives.pop("img-src") == "data:"
    assert directives.pop("style-src") == "'unsafe-inline'"
    assert directives == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'"}


def test_every_figure_and_mistake_is_there_with_a_text_in_its_place(page):
    images = [attributes for tag, attributes in Elements(page).found if tag == "img"]
    assert len(images) == len(PICTURES) + 2 * 2 + WRONG  # confusion and calibration of two data sets
    assert all(image["alt"] for image in images)
    assert all(int(image["width"]) > 0 and int(image["height"]) > 0 for image in images)


def test_texts_from_outside_are_escaped(page):
    assert not {"i", "b"} & {tag for tag, _ in Elements(page).found}
    assert Elements(page).text.startswith(f"When to thaw: {TITLE}")
    assert "# <b>paper</b>" in Elements(page).text


def test_headings_follow_one_another(page):
    levels = [int(tag[1]) for tag, _ in Elements(page).found if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_one_repeat_is_said_to_settle_nothing(finished, page):
    one = repeat_count(finished) == 1
    text = Elements(page).text
    assert text.count("Every schedule ran once (seed 1), so differences between schedules may be chance.") == one
    told = "Every schedule ran in 3 repeats, each with its own seed on the same split. Results are their means"
    assert (told in text) != one


def test_the_recommendation_stands_in_it_word_for_word(finished, page):
    table = tables.read_table(finished / "plots" / "costs" / "recommendation.csv", recommendation.COLUMNS)
    text = Elements(page).text
    sentences = table.loc[table["arm"] == "all", "sentence"]
    assert len(sentences) > 0
    assert [sentence for sentence in sentences if sentence not in text] == []


def test_numbers_of_images_and_all_variants_stand_in_it(page):
    text = Elements(page).text
    assert "cats and dogs, 8 training and 4 validation pictures; roses and tulips, 8 training" in text
    assert [name for name in finished_run.SCHEDULES if name not in text] == []
    assert "cpu abacus" in text
    assert "keras 3.1.2" in text


def test_the_answer_stands_first_in_three_paragraphs_a_data_set(finished, page):
    one = repeat_count(finished) == 1
    text = Elements(page).text
    first = "0 + 3 has the lowest validation loss of 3 schedules." if one else "Choose 0 + 3. It has the lowest"
    assert text.index(f"The answer Cats and dogs {first}") < text.index("The thesis's claims The thesis is")
    flowers = text[text.index("Roses and tulips 1 + 1 is the only schedule. Add others to the variants") :]
    reached = flowers.index("1 + 1 (1 epoch of the head alone, then 1 of fine-tuning): validation loss")
    assert reached < flowers.index("The thesis's claims The thesis is")


def test_one_repeat_says_so_in_the_answer(finished, page):
    one = repeat_count(finished) == 1
    text = Elements(page).text
    assert text.count("not the variation between training runs.") == (1 if one else 0)
    assert ("Choose " in text) != one
    assert ("Each schedule ran once, so every verdict is “cannot tell”, even where" in text) == one
    assert text.count("The 95% intervals cover the sampling of validation pictures and the") == (0 if one else 2)


def test_mistakes_are_the_recommended_schedule_s_with_the_worst_first(finished, page):
    several = repeat_count(finished) > 1
    text = Elements(page).text
    animals = text[text.index("What 0 + 3 gets right and wrong on cats and dogs") : text.index("What 1 + 1 gets")]
    assert "None: every validation picture is classified correctly." in animals
    flowers = text[text.index("What 1 + 1 gets right and wrong on roses and tulips") :]
    first = flowers.index("3.png true: tulips predicted: roses , 52.8%" + ", by 3 of 3 repeats" * several)
    assert first < flowers.index("2.png true: tulips predicted: roses")
    assert ("by 2 of 3 repeats" in flowers) == several
    assert f"{5 if several else 2} are wrong" in flowers


def test_scores_of_classes_calibration_and_the_test_part_stand_in_it(page):
    text = Elements(page).text
    assert "dogs 4 1.000 1.000 1.000" in text or "dogs 12 1.000 1.000 1.000" in text
    assert "cats 0 never predicted no pictures" in text
    assert "(15 equal-width bins; Guo and others, 2017)" in text
    assert text.count("On the test part, which no training and no selection has used") == 1
    assert "accuracy 0.750 (0.301 to 0.954) and loss 0.525" in text
    assert "on 4 pictures" in text


def test_what_is_beyond_the_page_s_size_is_counted(run, write_report):
    table = run / "plots/answer/flowers-mistakes.csv"
    header, first, *_ = table.read_text().splitlines()
    table.write_text("\n".join([header, *[first] * 50]) + "\n")
    text = Elements(write_report()).text
    assert text.count("3.png true: tulips") == 48
    assert "2 more are not shown, to keep this page small; plots/answer/flowers-mistakes.csv lists all." in text


def make_own(run):
    """Have the run be of pictures that are not the thesis's."""
    paper = yaml.safe_load((run / "paper.yaml").read_text())
    paper["variants"] = {"others-1-1": {}}
    (run / "paper.yaml").write_text(yaml.safe_dump(paper))


def test_pictures_of_one_s_own_come_before_what_the_thesis_claims(finished, run, write_report):
    make_own(run)
    text = Elements(write_report()).text
    assert "The thesis's claims" not in text
    assert "The thesis's schedules" not in text
    assert text.index("The answer") < text.index("The schedules")
    assert "left out" not in text
    if repeat_count(finished) == 1:  # no verdict is possible
        assert "A thesis's claims" not in text
    else:
        assert text.index("The schedules") < text.index("A thesis's claims, on these")


def test_the_count_of_pictures_left_out_stands_beside_their_data_set(finished, run, monkeypatch):
    source = yaml.safe_load((finished / "small.yaml").read_text())
    source["datasets"]["animals"]["leave_out"] = {"animals/train/cats/9.png": "the same picture as 8.png"}
    (run / "small.yaml").write_text(yaml.safe_dump(source))
    for path in (run / "metrics").glob("*.json"):  # each names the manifest that it ran on
        path.write_text(path.read_text().replace((finished / "small.yaml").as_posix(), (run / "small.yaml").as_posix()))
    finished_run.call(report.main, monkeypatch, finished_run.report_options(run, run / "small.yaml"))
    text = Elements((run / "plots/report.html").read_text(encoding="utf-8")).text
    assert "4 validation pictures (1 left out: leave_out in the manifest says which and why); roses and tulips" in text


def test_figures_that_would_be_empty_are_left_out(run, write_report):
    make_own(run)
    told = tables.read_json(run / "metrics/claims.json")
    tables.write_json({**told, "dip_parts": {}, "styles": {}}, run / "metrics/claims.json")
    page = write_report()
    assert "Variations of fine-tuning against the plain schedule" not in page
    assert "Left: loss where fine-tuning starts" not in page
    assert "over fine-tuning's share of the epochs, with the default head" in page.replace("&#39;", "'")


def test_the_answer_of_one_data_set_ends_with_what_its_intervals_cover(monkeypatch, write_report):
    of_run = answer.of_run
    monkeypatch.setattr(answer, "of_run", lambda *read: {"animals": of_run(*read)["animals"]})
    page = write_report()
    (closing,) = re.findall(r"<p>(The (?:95% )?intervals cover [^<]*)</p>", page)
    assert f"<p>{closing}</p></div>" in page


@pytest.mark.parametrize("damage", ["answer.json", "maps.npz", "flowers-mistakes.csv"])
def test_an_answer_that_lacks_a_file_is_named(run, write_report, damage):
    (run / "plots/answer" / damage).unlink()
    with pytest.raises(ThawError, match=rf"plots/answer/{damage}: no such file; run "):
        write_report()


def test_an_answer_on_another_schedule_is_refused(run, write_report):
    told = tables.read_json(run / "plots/answer/answer.json")
    told["animals"]["variant"] = "animals-2-1"
    tables.write_json(told, run / "plots/answer/answer.json")
    with pytest.raises(ThawError, match="has no answer for animals-0-3 on animals; run `dvc repro answer`"):
        write_report()


def test_the_same_run_gives_the_same_bytes(page, write_report):
    assert write_report() == page


def test_a_missing_figure_is_named_and_nothing_is_written(run, write_report):
    missing = run / "plots/figures/dip.png"
    missing.unlink()
    with pytest.raises(ThawError) as caught:
        write_report()
    assert str(caught.value) == f"{missing}: no such file; run `dvc repro figures`"
    assert not (run / "plots" / "report.html").exists()


def test_a_damaged_image_is_named(run, write_report):
    (run / "images" / "flowers" / "2.png").write_bytes(b"no picture")
    with pytest.raises(ThawError, match=r"flowers/2\.png: no readable picture .*; run `dvc repro split`"):
        write_report()


@pytest.mark.parametrize("table", ["tables/summary", "costs/costs"])
def test_a_table_without_a_variant_is_refused(run, write_report, table):
    path = run / "plots" / f"{table}.csv"
    path.write_text("".join(line for line in path.open() if not line.startswith("trial")))
    with pytest.raises(ThawError) as caught:
        write_report()
    assert str(caught.value) == f"{path}: has no trial; run `dvc repro`"


def test_a_figure_is_kept_pixel_for_pixel_and_an_image_made_small(tmp_path):
    drawn = Image.linear_gradient("L").convert("RGB").resize((900, 300))
    drawn.save(tmp_path / "drawn.png")
    figure, image = data_address.of_figure(tmp_path / "drawn.png"), data_address.of_image(tmp_path / "drawn.png")
    assert (figure.width, figure.height) == (900, 300)
    assert decoded(figure).tobytes() == drawn.tobytes()
    assert (image.width, image.height) == decoded(image).size == (160, 53)


def test_a_map_reddens_what_counts_and_leaves_the_rest_grey(tmp_path):
    Image.new("RGB", (160, 80), (0, 0, 200)).save(tmp_path / "blue.png")
    beside = decoded(data_address.of_image(tmp_path / "blue.png", np.array([[5.0, -2.0]])))
    assert beside.size == (160 + 4 + 160, 80)
    grey, hot = np.array(beside.getpixel((310, 40))), np.array(beside.getpixel((170, 40)))
    assert np.ptp(grey) < 12  # what WebP makes of grey
    assert hot[0] > 150 > hot[2] + 100
    assert beside.getpixel((80, 40))[2] > 180


def decoded(picture):
    return Image.open(io.BytesIO(base64.b64decode(picture.address.removeprefix("data:image/webp;base64,"))))


@contextmanager
def counting() -> Iterator[tuple[int, list[str]]]:
    """A local port, and the first lines of all that was asked there."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # closed: the test is over
                    return
                with connection:
                    asked.append(connection.recv(4096).decode(errors="replace").split("\r\n")[0])

        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1], asked
        server.shutdown(socket.SHUT_RDWR)


def shown(page: Path, profile: Path, port: int, width: int = 1400) -> str:
    """The page as Chromium has it once it is loaded; whatever it asks of any host, it asks of the local port."""
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"),
        *("--disable-background-networking", "--disable-component-update", "--no-first-run", "--no-pings"),
        *(f"--proxy-server=http://127.0.0.1:{port}", "--proxy-bypass-list=<-loopback>", f"--window-size={width},900"),
        *("--virtual-time-budget=5000", "--dump-dom", page.as_uri()),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def probed(page: str) -> str:
    """The page with the probe in it, its policy allowing scripts beside what it allows anyway."""
    (policy,) = POLICY.findall(page)
    return page.replace(policy, f"{policy}; script-src 'unsafe-inline'").replace("</body>", f"{PROBE}</body>")


in_chromium = pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed (Debian: apt install chromium)")


@in_chromium
@pytest.mark.parametrize("width", [500, 1400])  # Chromium's windows are no narrower
def test_a_browser_shows_every_picture_and_asks_nobody(page, tmp_path, width):
    (tmp_path / "probed.html").write_text(probed(page), encoding="utf-8")
    pictures = len(PICTURES) + 2 * 2 + WRONG
    with counting() as (port, asked):
        dom = shown(tmp_path / "probed.html", tmp_path / "profile", port, width)
    assert f"images {pictures} broken 0 fetched 0 over 0" in dom
    assert [line for line in asked if not MAKER.search(line)] == []


@in_chromium
@pytest.mark.parametrize(("policy", "requests"), [("kept", 0), ("removed", 1)])
def test_the_policy_keeps_a_picture_of_elsewhere_from_being_asked_for(page, tmp_path, policy, requests):
    outside = '<img src="http://thaw.invalid/outside.png" alt="outside">'
    changed = page.replace("</body>", f"{outside}</body>")
    if policy == "removed":
        changed = POLICY.sub("", changed)
    (tmp_path / "changed.html").write_text(changed, encoding="utf-8")
    with counting() as (port, asked):
        shown(tmp_path / "changed.html", tmp_path / "profile", port)
    assert sum("outside.png" in line for line in asked) == requests
