"""The documentation: its code runs, its links lead somewhere, nothing is loaded from elsewhere."""

import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from torch import nn

import combicam_widgets as ccw
from combicam_widgets import cam, evaluation
from combicam_widgets.cam import methods, scores
from combicam_widgets.evaluation import photos
from tests.browser.lab import running_browser

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("combicam_widgets/**/*.md")]
)
FENCE = re.compile(r"^```python *([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = {path: FENCE.findall(path.read_text(encoding="utf-8")) for path in PAGES}


class Small(nn.Module):
    """A network whose layers are found, for pages that say `network`."""

    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.two = nn.Conv2d(4, 4, 3, stride=2, padding=1)
        self.head = nn.Linear(4, 4)

    def forward(self, batch):
        return self.head(self.two(self.one(batch).relu()).relu().mean((2, 3)))


def given():
    """What a page may take for granted: names that its words introduce."""
    return {
        "ccw": ccw,
        "np": np,
        "network": Small().eval(),
        "batch": torch.rand(1, 3, 32, 32),
        "latitudes": [48.9, -33.9, 35.7, 19.4],
        "longitudes": [2.4, 151.2, 139.7, -99.1],
        "photos": {"koala": ccw.sample("koala")},
        "many": ccw.explain_many("naturalist", {"koala": ccw.sample("koala")}, progress=False),
        "__name__": "a page",
    }


@pytest.fixture
def quickly(monkeypatch):
    """Ask the network seldom, where a page does hundreds of times; forget what it registers."""
    monkeypatch.setattr(methods, "_own", {})
    monkeypatch.setattr(scores, "_own", {})
    for name in ("measure", "worth", "by_worth", "study"):
        function = getattr(evaluation, name)

        def few(*values, function=function, **options):
            return function(*values, **{"fills": ("blur",), "steps": 2, **options})

        monkeypatch.setattr(evaluation, name, few)
        monkeypatch.setattr(photos, name, few, raising=False)


@pytest.mark.parametrize(
    "path", [p for p in PAGES if BLOCKS[p]], ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_every_block_of_python_runs(path, quickly, rules_as_they_were, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    ccw.sample("koala").to_pil().save(tmp_path / "photos" / "koala.jpg")
    names = given()
    ran = 0
    for words, code in BLOCKS[path]:
        if words.startswith("skip"):
            compile(code, path.name, "exec")
            continue
        exec(compile(code, path.name, "exec"), names)
        ran += 1
    ipywidgets.Widget.close_all()
    assert ran


def test_no_block_is_skipped_without_a_reason():
    skipped = [words for blocks in BLOCKS.values() for words, _ in blocks if words]
    assert all(re.fullmatch(r"skip: [a-z ]{6,}", words) for words in skipped)
    assert len(skipped) <= 2


def test_files_link_to_files_that_are_there():
    links = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
    seen = 0
    for path in [
        *PAGES,
        ROOT / "CHANGELOG.md",
        ROOT / "CONTRIBUTING.md",
        *ROOT.glob("recipes/**/*.md"),
    ]:
        if "lessons" in path.parts:  # they are read where the notebooks lie, see below
            continue
        for link in links.findall(path.read_text(encoding="utf-8")):
            made = link.startswith("reference/")
            assert made or (path.parent / unquote(link)).exists(), f"{path.name}: {link}"
            seen += 1
    for path in ROOT.glob("notebooks/**/*.ipynb"):
        for link in links.findall(path.read_text(encoding="utf-8")):
            assert (path.parent / unquote(link)).exists(), f"{path.name}: {link}"
            seen += 1
    assert seen > 100


class Page(HTMLParser):
    """What a page links to and what can be linked to in it."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors, self.loaded = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        told = dict(attributes)
        self.anchors |= {told.get("id"), told.get("name")}
        if tag in ("a", "iframe", "img", "link", "script"):
            link = told.get("href") or told.get("src")
            if link:
                self.links.append(link)
                if tag != "a":
                    self.loaded.append(link)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "recipes"))
        import documentation

        lesson = "notebooks/course/4-is-it-right.ipynb"
        assert lesson in documentation.RUN
        folder = tmp_path_factory.mktemp("site")
        first = documentation.build(folder, pages=1, notebooks=[lesson])
    found = {
        p: Page(p.read_text(encoding="utf-8"))
        for p in first.parent.glob("**/*.html")
        if "_static" not in p.parts
    }
    return first.parent, found


def test_every_link_and_anchor_of_the_site_leads_somewhere(site):
    folder, pages = site
    checked = 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_relative_to(folder)
            assert target.exists(), f"{path.relative_to(folder)}: {link}"
            if parts.fragment and target.suffix == ".html":
                assert unquote(parts.fragment) in pages[target].anchors, f"{path.name}: {link}"
            checked += 1
    assert checked > 2000


def test_the_site_loads_nothing_from_elsewhere(site):
    for path, page in site[1].items():
        for link in page.loaded:
            assert urlsplit(link).scheme in ("", "data"), f"{path.name}: {link}"


def widths_on_a_phone(paths):
    with running_browser() as browser:
        page = browser.new_page(viewport={"width": 390, "height": 844})
        found = []
        for path in paths:
            page.goto(path.as_uri(), wait_until="domcontentloaded")
            found.append(page.evaluate("() => document.documentElement.scrollWidth"))
    return found


def test_every_page_fits_a_phone(site):
    folder, pages = site
    # Live pages are tested elsewhere; one page goes on to the first, the other holds nothing yet.
    left_out = [folder / "index.html", folder / "search.html", *folder.glob("live/*.html")]
    paths = [path for path in pages if path not in left_out]
    with ThreadPoolExecutor(1) as own_thread:  # this one may have a browser already
        widths = own_thread.submit(widths_on_a_phone, paths).result()
    assert len(paths) > 30
    assert not [(path.name, w) for path, w in zip(paths, widths, strict=True) if w > 391]


def test_every_public_name_is_described(site):
    folder, pages = site
    reference = folder / "docs" / "reference"
    for room in (*ccw._ROOMS,):
        page = pages[reference / f"ccw-{room}.html"]
        module = getattr(ccw, room)
        for name in module.__all__:
            described = f"combicam_widgets.{room}.{name}" in page.anchors
            assert described or name.lower().replace("_", "-") in page.anchors, (room, name)
    shown = (reference / "ccw-widgets.html").read_text(encoding="utf-8")
    for widget in [name for name in ccw.widgets.__all__ if name[0].isupper()]:
        assert f'alt="{widget}"' in shown  # each has its picture
    for trait in ("weights", "heatmap", "keep", "target"):
        assert f"combicam_widgets.widgets.Explorer.{trait}" in shown
    assert "class_traits" not in shown


def test_the_first_thing_seen_is_live(site):
    folder, pages = site
    index = (folder / "docs" / "index.html").read_text(encoding="utf-8")
    assert index.index("<iframe") < index.index('id="start"')
    assert "made by recipes" not in index
    (live,) = [link for link in pages[folder / "docs" / "index.html"].loaded if "/live/" in link]
    assert "ccw" in (folder / "docs" / live).read_text(encoding="utf-8")


def test_a_lesson_is_shown_with_its_pictures_and_without_its_solutions(site):
    page = site[0] / "notebooks" / "course" / "4-is-it-right.html"
    text = page.read_text(encoding="utf-8")
    pictures = [link for link in site[1][page].loaded if link.startswith("data:image/")]
    assert len(pictures) == 12  # three maps of two networks, and six heatmaps of the macaw
    assert "../../plotly.min.js" in site[1][page].loaded
    assert text.count("Plotly.newPlot") == 1
    assert text.count("Right. ") == 4  # the checks of the solved exercises
    assert text.count("# yours") == 4
    assert "BEGIN SOLUTION" not in text
    assert "For the teacher" not in text


def test_readme_fits_a_screen_and_shows_a_moving_picture():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert "](docs/clicks.webp)" in text
    film = ROOT / "docs" / "clicks.webp"
    assert film.stat().st_size < 1.5e6
    with Image.open(film) as moving:
        # A frame says how long it stays once it is read.
        frames = [
            (np.asarray(frame.convert("RGB"), float), frame.info["duration"])
            for frame in ImageSequence.Iterator(moving)
        ]
    views = [view for view, duration in frames if duration > 1000]  # not of the mouse on its way
    assert len(views) == 5
    steps = [abs(b - a).mean() for a, b in itertools.pairwise(views)]
    assert min(steps) > 1  # of 255: heat, tiles and map have changed
    assert abs(views[-1] - views[0]).mean() < min(steps)
    (block,) = BLOCKS[ROOT / "README.md"]
    assert len(block[1].splitlines()) <= 12


def test_rules_of_pages_are_gone_after_them():
    assert "median" not in cam.rule_names()


def test_a_handout_is_one_page_to_click_and_to_print(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "recipes"))
        import handouts

    assert [each.title[0] for each in handouts.HANDOUTS] == list("123456")
    (path,) = handouts.make(tmp_path, handouts.HANDOUTS[1:2])
    text = path.read_text(encoding="utf-8")
    assert path.name == "lesson-2.html"
    assert path.stat().st_size < 3e6
    for question in handouts.HANDOUTS[1].questions:
        assert question in text
