"""The registry: what it lists is true, what it loads is shared, what others add breaks nothing."""

import ast
import importlib
import subprocess
import sys
import threading
import warnings
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

import combicam_widgets as ccw
from combicam_widgets.models import GeoModel, ModelInfo, ModelList, registry

READY = [name for name in registry._SHIPPED if ccw.list_models()[name].ready]
FOLDER = Path(registry.__file__).parent

CODE = """
import torch
import combicam_widgets as ccw
from combicam_widgets.models import ModelInfo

CELLS = ccw.CellGrid.from_centers([0, 0, 60, -60], [0, 90, 180, -90])

def network():
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )

def tiny():
    return ccw.GeoModel(network(), CELLS, name="tiny")

class Small(ccw.GeoModel):
    INFO = ModelInfo(name="other", summary="A small one", layers=1, cells=4)

    def __init__(self, folder=None):
        super().__init__(network(), CELLS, name="small")
        self.folder = folder

    @classmethod
    def from_folder(cls, folder):
        return cls(folder)

class Hungry(Small):
    INFO = ModelInfo(name="hungry", summary="A hungry one", needs="Ask its <authors>.")
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package with one module and entry points, as pip would leave it behind."""
    modules = set(sys.modules)

    def install(package, code, **models):
        site = tmp_path / package
        facts = site / f"{package}-1.0.dist-info"
        facts.mkdir(parents=True)
        (site / f"{package}.py").write_text(code, encoding="utf-8")
        (facts / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8"
        )
        lines = [f"{name} = {package}:{thing}\n" for name, thing in models.items()]
        (facts / "entry_points.txt").write_text(
            f"[combicam_widgets.models]\n{''.join(lines)}", encoding="utf-8"
        )
        monkeypatch.syspath_prepend(str(site))
        importlib.invalidate_caches()

    yield install
    for name in set(sys.modules) - modules:
        if name.startswith("plug"):
            del sys.modules[name]


INFO = ModelInfo(name="any", summary="any")


def run(code):
    """Run code in a fresh interpreter; what it prints, evaluated."""
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return ast.literal_eval(output.stdout)


OPENED = """
import sys
opened = set()
sys.addaudithook(lambda event, args: opened.add(str(args[0])) if event == "open" else None)
import combicam_widgets as ccw
{}
code = (".py", ".pyc", ".so")
print([p for p in opened if ("combicam_widgets" in p or "_model" in p) and not p.endswith(code)
       and "-info" not in p and "__pycache__" not in p])
"""


@pytest.mark.parametrize("name", READY)
def test_the_facts_are_those_of_the_loaded_model(name):
    info, model = ccw.list_models()[name], ccw.load_model(name)
    assert info.name == model.name == name
    assert info.summary == model.description
    assert info.layers == len(model.layers)
    assert info.cells == len(model.cells)
    _, height, width = model.transform(Image.new("RGB", (500, 500))).shape
    assert info.input.startswith(f"{width} x {height} px")
    card = (FOLDER / name / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert info.weights_licence in card


@pytest.mark.parametrize("name", READY)
def test_the_size_is_that_of_all_files_that_are_read(name):
    files = run(OPENED.format(f"ccw.load_model({name!r})"))
    assert len(files) >= 2
    size = sum(Path(file).stat().st_size for file in files)
    assert ccw.list_models()[name].megabytes == round(size / 1e6, 1)


def test_a_listing_reads_no_weights_nor_data():
    assert run(OPENED.format("repr(ccw.list_models())")) == []


def test_every_model_is_imported_for_itself():
    code = "import sys, combicam_widgets.models as m; {}; print(sorted(sys.modules))"
    homes = {name: value.partition(":")[0] for name, value in registry._SHIPPED.items()}
    assert not set(homes.values()) & set(run(code.format("m.GeoModel")))
    loaded = set(run(code.format("m.load_model('naturalist')")))
    assert loaded & set(homes.values()) == {homes["naturalist"]}


def test_other_packages_are_looked_for_only_when_asked():
    code = """
import sys
from importlib import metadata
asked = []
metadata.entry_points = lambda group: asked.append(group) or []
import combicam_widgets as ccw
ccw.models.GeoModel, ccw.load_model
before = asked.count("combicam_widgets.models")  # torch asks for groups of its own
ccw.list_models()
print((before, asked[-1]))
"""
    assert run(code) == (0, "combicam_widgets.models")


@pytest.mark.parametrize("name", registry._SHIPPED)
def test_shipped_models_load_or_say_where_to_get_their_weights(name):
    info = ccw.list_models()[name]
    assert not info.error
    if info.ready:
        assert ccw.load_model(name).name == name
        return
    assert "https://" in info.needs
    with pytest.raises(ValueError, match="needs weights") as caught:
        ccw.load_model(name)
    assert info.needs in str(caught.value)
    assert f"load_model({name!r}, weights=folder)" in str(caught.value)


def test_the_list_is_a_read_only_mapping():
    models = ccw.list_models()
    assert list(models)[: len(registry._SHIPPED)] == list(registry._SHIPPED)
    assert "naturalist" in models
    assert len(models) == len(list(models))
    with pytest.raises(TypeError):
        models["mine"] = INFO
    with pytest.raises(TypeError):
        del models["naturalist"]
    with pytest.raises(KeyError):
        models["mine"]
    with pytest.raises(AttributeError):
        models["naturalist"].layers = 3


FULL = ModelInfo(
    name="a",
    summary="first\n one",
    kind="big network",
    layers=1234,
    cells=5,
    input="64 x 64 px",
    megabytes=12.345,
    weights_licence="MIT",
    data_licence="CC0-1.0",
)
BARE = ModelInfo(name="second", summary="& <b>so</b> on", needs="Ask.", error="")
TABLE = """\
Model   Kind         Layers  Cells  Input          Size
a       big network   1,234      5  64 x 64 px  12.3 MB
        first one
        weights: MIT; data: CC0-1.0
second  ?                 ?      ?  ?                 ?
        & <b>so</b> on
        needs weights: Ask."""


def test_the_list_shows_as_a_table():
    assert repr(ModelList([FULL, BARE])) == TABLE


class Cells(HTMLParser):
    """Reads the cells of a table: (tag, scope) and text, row by row."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.caption, self.open = [], "", []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag == "br":
            self.handle_data("\n")
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append([tag, dict(attributes).get("scope"), ""])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        assert self.open[-1] in {"td", "th", "caption"}  # no other element got in
        if self.open[-1] == "caption":
            self.caption += data
        else:
            self.rows[-1][-1][2] += data


def test_the_html_table_has_headings_and_is_escaped():
    page = Cells(ModelList([FULL, BARE])._repr_html_())
    assert "load_model" in page.caption
    head, first, second = page.rows
    assert [cell[:2] for cell in head] == [["th", "col"]] * 7
    for row in (first, second):
        assert [cell[:2] for cell in row] == [["th", "row"]] + [["td", None]] * 6
    texts = [text for *_, text in first]
    assert texts[:6] == ["a", "big network", "1,234", "5", "64 x 64 px", "12.3 MB"]
    assert texts[6] == "first one\nweights: MIT; data: CC0-1.0"
    assert second[6][2] == "& <b>so</b> on\nneeds weights: Ask."


@pytest.mark.parametrize(
    ("facts", "error", "message"),
    [
        ({"name": ""}, ValueError, "name must not be empty"),
        ({"summary": " "}, ValueError, "summary must not be empty"),
        ({"layers": "many"}, TypeError, "layers must be a number or None, not 'many'"),
        ({"cells": True}, TypeError, "cells must be a number or None, not True"),
        ({"cells": 2.5}, TypeError, "cells must be a number"),
        ({"megabytes": 0}, ValueError, "megabytes must be positive, not 0"),
        ({"megabytes": float("nan")}, ValueError, "megabytes must be positive, not nan"),
        ({"kind": None}, TypeError, "kind must be a str, not None"),
    ],
)
def test_facts_that_are_none_are_refused(facts, error, message):
    with pytest.raises(error, match=message):
        ModelInfo(**{"name": "a", "summary": "b", **facts})


def test_models_are_loaded_once(naturalist):
    assert ccw.load_model("naturalist") is naturalist
    assert ccw.load_model(name="naturalist", weights=None) is naturalist


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Naturalist", r" Did you mean 'naturalist'\?$"),
        ("naturlist", r" Did you mean 'naturalist'\?$"),
        ("", r"\.$"),
        ("resnet50", r"\.$"),
    ],
)
def test_unknown_models_are_refused_with_the_known_ones(name, hint):
    with pytest.raises(
        ValueError, match=f"Unknown model {name!r}; the models are naturalist.*{hint}"
    ):
        ccw.load_model(name)


@pytest.mark.parametrize("name", [None, 3, ["naturalist"]])
def test_names_are_words(name):
    with pytest.raises(TypeError, match="name must be the name of a model"):
        ccw.load_model(name)


def test_weights_that_no_one_takes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'naturalist' takes no weights; leave them out"):
        ccw.load_model("naturalist", tmp_path)
    with pytest.raises(TypeError, match="weights must be the path of a folder, not 3"):
        ccw.load_model("naturalist", 3)


def test_other_packages_add_models(install):
    install("plug_a", CODE, tiny="tiny", small="Small")
    models = ccw.list_models()
    assert list(models) == [*registry._SHIPPED, "tiny", "small"]
    assert models["tiny"] == ModelInfo(name="tiny", summary="from the package 'plug_a'")
    assert models["small"] == ModelInfo(name="small", summary="A small one", layers=1, cells=4)
    tiny, small = ccw.load_model("tiny"), ccw.load_model("small")
    assert tiny.name == "tiny"
    assert len(small.layers) == models["small"].layers
    assert ccw.load_model("tiny") is tiny
    assert ccw.load_model("small") is small
    with pytest.raises(ValueError, match=r"Did you mean 'small'"):
        ccw.load_model("smal")


def test_a_folder_of_weights_is_the_same_however_it_is_written(install, tmp_path, monkeypatch):
    install("plug_b", CODE, hungry="Hungry")
    assert ccw.list_models()["hungry"].remark == "needs weights: Ask its <authors>."
    with pytest.raises(
        ValueError, match=r"'hungry' needs weights .* Ask its <authors>\. Then call"
    ):
        ccw.load_model("hungry")
    folder = tmp_path / "weights"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    model = ccw.load_model("hungry", folder)
    assert model.folder == folder.resolve()
    for same in (
        str(folder),
        f"{folder}/",
        "weights",
        "./link",
        "~/weights",
        folder / ".." / "link",
    ):
        assert ccw.load_model("hungry", weights=same) is model
    assert ccw.load_model("hungry", tmp_path) is not model


BROKEN = {
    "missing import": ("import nonsense_nowhere", "x", "No module named 'nonsense_nowhere'"),
    "syntax": ("def", "x", r"SyntaxError"),
    "raises": ("raise RuntimeError('no <b>luck</b>')", "x", r"no <b>luck</b> \(RuntimeError\)"),
    "no such name": ("", "x", "cannot be imported: .* has no attribute 'x'"),
    "not callable": ("x = 3", "x", "must be a callable that gives a GeoModel, not of type int"),
    "facts": ("def x(): pass\nx.INFO = {}", "x", "must be a ModelInfo, not of type dict"),
}


@pytest.mark.parametrize(("code", "thing", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_package_says_so_and_breaks_nothing_else(code, thing, message, install):
    install("plug_broken", code, broken=thing)
    install("plug_whole", CODE, tiny="tiny")
    models = ccw.list_models()
    assert set(models) == {*registry._SHIPPED, "broken", "tiny"}
    info = models["broken"]
    assert not info.ready
    assert "'plug_broken" in info.error
    assert f"cannot be loaded: {info.error}" in repr(models)
    assert "<b>" not in models._repr_html_()
    with pytest.raises((ImportError, TypeError), match=message) as caught:
        ccw.load_model("broken")
    assert str(caught.value) == info.error
    assert isinstance(ccw.load_model("tiny"), GeoModel)


def test_what_gives_no_model_is_refused(install):
    install("plug_c", "def x():\n    return {}", thing="x")
    with pytest.raises(
        TypeError, match="'thing' of the package 'plug_c' is no GeoModel but of type dict"
    ):
        ccw.load_model("thing")


def test_shipped_names_win_with_a_warning(install, naturalist):
    install("plug_d", CODE, naturalist="tiny", tiny="tiny")
    message = (
        "'naturalist' of the package 'plug_d' is left out: the name is taken by combicam_widgets"
    )
    with pytest.warns(UserWarning, match=message) as warned:
        models = ccw.list_models()
    assert [w.filename for w in warned] == [__file__]
    assert models["naturalist"].summary == naturalist.description
    with pytest.warns(UserWarning, match=message) as warned:
        assert ccw.load_model("naturalist") is naturalist
    assert [w.filename for w in warned] == [__file__]


def test_of_two_packages_the_first_wins_with_a_warning(install):
    install("plug_e", CODE, tiny="tiny")
    install("plug_f", CODE, tiny="Small")  # put before the other one on the path
    with pytest.warns(UserWarning, match="'plug_e' is left out: .* taken by the package 'plug_f'"):
        assert ccw.load_model("tiny").name == "small"


def test_a_model_may_be_built_on_another_one(install, naturalist):
    code = """
import combicam_widgets as ccw
def make():
    base = ccw.load_model("naturalist")
    return ccw.GeoModel(base.network, base.cells, base.transform, name="on top")
"""
    install("plug_g", code, top="make")
    assert ccw.load_model("top").network is naturalist.network


def test_threads_that_load_at_once_share_the_model(install):
    slow = CODE + "\nimport time\ndef slow():\n    time.sleep(0.05)\n    return tiny()\n"
    install("plug_h", slow, slow="slow")
    models = []
    start = threading.Barrier(4)

    def load():
        start.wait()
        models.append(ccw.load_model("slow"))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(models) == 4
    assert len(set(map(id, models))) == 1


def test_nothing_of_these_packages_stays(naturalist):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(ccw.list_models()) == list(registry._SHIPPED)
        assert ccw.load_model("naturalist") is naturalist


def test_a_model_on_another_device_is_another_one():
    atlas, meta = ccw.load_model("atlas"), ccw.load_model("atlas", device="meta")
    assert {p.device.type for p in meta.network.parameters()} == {"meta"}
    assert {p.device.type for p in atlas.network.parameters()} == {"cpu"}
    assert ccw.load_model("atlas", device="meta") is meta
    assert ccw.load_model("atlas") is atlas
    assert atlas.to("cpu") is atlas
