"""The report of a run: its plots against their own axes, whatever a kill has left, and nothing loaded or run."""

from __future__ import annotations

import base64
import io
import re
import shutil
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page
from support.runs import write_run

from ganexport.errors import CheckpointError, OptionError
from ganexport.runtimes.browser import open_browser
from train.__main__ import main
from train.report.page import report_html, write_report
from train.report.plot import Curve, Level, number, plot
from train.report.read import read_run

AXE = Path(__file__).parents[2] / "web_demo" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "a <run> & more")


def svg_of(figure: str) -> ET.Element:
    """The plot itself; behind the small ones of the legend."""
    return ET.fromstring(re.findall(r"<svg viewBox=.*?</svg>", figure)[-1])


def heights_of(svg: ET.Element) -> list[tuple[float, float]]:
    """(value, height) of each label on the left axis."""
    labels = [t for t in svg.iter("text") if t.get("class") == "end" and t.text != "kimg"]
    return [(float((t.text or "").replace("−", "-").replace(",", "")), float(t.get("y", "")) - 4) for t in labels]


def points_of(svg: ET.Element, kind: str) -> np.ndarray:
    (path,) = (p for p in svg.iter("path") if p.get("class") == kind)
    return np.array([pair.split(",") for pair in re.findall(r"[\d.]+,[\d.]+", path.get("d", ""))], float)


def test_a_curve_stands_where_the_axis_says() -> None:
    values = [2.0, -1.0, 3.5, 0.25]
    svg = svg_of(plot("p", "Title", "Text", [Curve("one", list(zip([0, 10, 20, 40], values, strict=True)))], []))
    ticks = np.array(heights_of(svg))
    assert len(ticks) >= 3
    slope, offset = np.polyfit(ticks[:, 1], ticks[:, 0], 1)
    got = points_of(svg, "c0 line")
    np.testing.assert_allclose(slope * got[:, 1] + offset, values, atol=0.03)
    np.testing.assert_allclose(np.diff(got[:, 0]) / np.diff(got[:, 0])[0], [1, 1, 2], atol=0.01)


def test_what_falls_over_decades_has_a_logarithmic_axis() -> None:
    curve, level = Curve("one", [(1.0, 1000.0), (2.0, 10.0), (3.0, 1.0)]), Level("real", 0.1)
    svg = svg_of(plot("p", "Title", "Text", [curve], [level]))
    ticks = np.array(heights_of(svg))
    slope, offset = np.polyfit(ticks[:, 1], np.log10(ticks[:, 0]), 1)
    got = slope * points_of(svg, "c0 line")[:, 1] + offset
    np.testing.assert_allclose(got, [3, 1, 0], atol=0.02)


def test_long_curves_show_means_within_what_they_are_the_means_of() -> None:
    noisy = np.random.default_rng(0).standard_normal(1000)
    figure = plot("p", "Title", "Text", [Curve("one", list(enumerate(noisy.tolist())))])
    svg = svg_of(figure)
    line, band = points_of(svg, "c0 line"), points_of(svg, "c0 band")
    assert len(line) == 143 and len(band) == 286  # of 7 readings each
    top, foot = band[:143, 1], band[:142:-1, 1]
    assert (top <= line[:, 1]).all() and (line[:, 1] <= foot).all()
    assert figure.count("<tr>") == 13 and number(noisy[-1]) in figure


def test_one_point_and_flat_lines_can_be_drawn() -> None:
    assert "<circle" in plot("p", "T", "t", [Curve("one", [(3.0, 0.0)])])
    flat = svg_of(plot("p", "T", "t", [Curve("one", [(1.0, 5.0), (2.0, 5.0)])]))
    assert len(set(points_of(flat, "c0 line")[:, 1])) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.69314, "0.693"), (-2.5, "−2.5"), (12345, "12,345"), (1e-7, "1.0e−07"), (999.7, "1,000")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_figures_that_are_no_numbers_leave_the_page_whole(run: Path) -> None:
    broken = shutil.copytree(run, run.parent / "broken")
    with (broken / "metrics.jsonl").open("a") as file:
        file.write('{"kimg": 99, "frechet": NaN, "path_length_z": NaN, "kid": Infinity}\n')
    html = report_html(read_run(broken))
    assert "<h3>Fréchet distance</h3>" in html and ">nan<" not in html and ">inf<" not in html


def test_half_of_the_loss_stands_beside_the_balance(run: Path) -> None:
    html = report_html(read_run(run))
    losses = next(f for f in re.findall(r"<figure.*?</figure>", html) if "<h3>Losses</h3>" in f)
    assert "balance, ln 2: 0.693" in losses and "D: 0.7 at 0.025 kimg" in losses
    other = write_run(run.parent / "wasserstein", loss="wasserstein", r1_gamma=0.0)
    losses = next(f for f in re.findall(r"<figure.*?</figure>", report_html(read_run(other))) if "<h3>Losses" in f)
    assert "balance" not in losses.split("</figcaption>")[1] and "D: 1.4 at" in losses


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_has_everything_in_it(run: Path) -> None:
    html = report_html(read_run(run))
    page = Tags()
    page.feed(html)
    for words in (
        *("a <run> & more", "10 of 10 kimg", "finished", "beans (80 pictures)", "Beans & Co <CC0>", "an abacus"),
        *("Warning at 9 kimg: collapse", "All alike, <b>truly</b>", "Fréchet distance", "Pixel values", "--r1-gamma"),
        *("a classifier that names 98.6%", "Chance of augmentation", "Accuracy of D"),
    ):
        assert words in page.text, words
    names = [tag for tag, _ in page.tags]
    assert not {"script", "b", "iframe", "object"} & set(names)
    links = [a[k] for _, a in page.tags for k in ("src", "href") if k in a]
    assert links and all(link is not None and link.startswith("data:") for link in links)
    assert "url(" not in html and "@import" not in html
    images = [a for tag, a in page.tags if tag == "img"]
    assert [a["alt"] for a in images] == [f"Grid of generated pictures at {k} kimg" for k in (10, 2, 5)]
    packed = base64.b64decode((images[1]["src"] or "").split(",")[1])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(packed)).convert("L")), 0)
    figures = [a for tag, a in page.tags if tag == "svg" and a.get("role") == "img"]
    ids = {a["id"] for _, a in page.tags if "id" in a}
    assert len(figures) == names.count("desc") > 12
    assert all(set((a["aria-labelledby"] or "").split()) <= ids for a in figures)


def test_a_run_is_readable_at_every_moment(run: Path, tmp_path: Path) -> None:
    """From an empty folder with its configuration to the whole, and with the last thing in it cut short."""
    part = tmp_path / "part"
    part.mkdir()
    shutil.copy(run / "config.json", part)
    assert "Nothing has been logged yet" in report_html(read_run(part))
    log = (run / "log.jsonl").read_bytes()
    for end in (1, 100, 400, 5000, len(log) - 3):
        (part / "log.jsonl").write_bytes(log[:end])
        (part / "metrics.jsonl").write_bytes((run / "metrics.jsonl").read_bytes()[: end // 10])
        report_html(read_run(part))
    shutil.copytree(run / "samples", part / "samples")
    newest = part / "samples" / "kimg000010.0.png"
    newest.write_bytes(newest.read_bytes()[:40])
    assert "not finished" in report_html(read_run(part)) or read_run(part).kimg == 10
    assert report_html(read_run(part)).count("<img") == 2


def test_what_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OptionError, match=r"has no config\.json"):
        read_run(tmp_path)
    assert main(["report", str(tmp_path)]) == 2 and "no folder of a run" in capsys.readouterr().err
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="damaged"):
        read_run(tmp_path)


# -- as a film --


def test_a_film_shows_the_grids_in_their_order(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "film.gif"
    assert main(["film", str(run), "-o", str(out), "--fps", "10"]) == 0
    with Image.open(out) as film:
        shades, seconds = [], 0.0
        for k in range(getattr(film, "n_frames", 1)):
            film.seek(k)
            shades.append(int(np.asarray(film.convert("L")).mean()))
            seconds += film.info["duration"] / 1000
    assert list(dict.fromkeys(shades)) == [0, 80, 160]
    assert seconds == pytest.approx(0.3 + 1.5, abs=0.02)
    assert main(["film", str(run), "-o", str(out)]) == 2
    assert "pass --force to replace it" in capsys.readouterr().err
    shutil.rmtree(write_run(tmp_path / "short") / "samples")
    assert main(["film", str(tmp_path / "short"), "-o", str(out)]) == 2
    assert "has 0 grids" in capsys.readouterr().err


def test_a_film_of_a_run_that_grew_has_one_size(run: Path, tmp_path: Path) -> None:
    grown = write_run(tmp_path / "grown")
    Image.fromarray(np.full((4, 6), 200, np.uint8)).save(grown / "samples" / "kimg000002.0.png")
    assert main(["film", str(grown), "-o", str(tmp_path / "film.webp")]) == 0
    with Image.open(tmp_path / "film.webp") as film:
        film.seek(0)
        assert np.asarray(film.convert("L")).min() == 200 and film.width / film.height == 1.5


# -- in a browser --


@pytest.fixture(scope="module")
def page(run: Path) -> Page:
    """The report, watched."""
    write_report(run, run / "report.html")
    with open_browser() as browser:
        page = browser.new_page(viewport={"width": 360, "height": 640})
        page.set_default_timeout(60_000)
        yield page


@pytest.mark.web
def test_a_browser_shows_it_and_asks_for_nothing(page: Page, run: Path) -> None:
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((run / "report.html").as_uri())
    assert [url for url in asked if not url.startswith("data:")] == [(run / "report.html").as_uri()]
    assert said == []
    assert page.evaluate("[...document.images].every((i) => i.naturalWidth === 12)")
    drawn = page.evaluate("[...document.querySelectorAll('figure > svg')].map((s) => s.getBBox().width)")
    assert len(drawn) > 12 and min(drawn) > 300
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "a phone scrolls one way only"
    colours = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours[0] != colours[1]


@pytest.mark.web
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page: Page, run: Path, scheme: str) -> None:
    page.goto((run / "report.html").as_uri())
    page.emulate_media(color_scheme=scheme)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run()).violations.map((v) => v.id + v.nodes.map((n) => n.html))")
    assert found == []
