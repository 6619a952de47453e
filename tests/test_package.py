"""The package as a whole: what importing it costs, what it promises, what the wheel holds."""

import ast
import configparser
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import combicam_widgets as ccw

PACKAGE = Path(ccw.__file__).parent
ROOT = PACKAGE.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

DRAWING = {"plotly", "ipyleaflet", "ipywidgets", "anywidget"}
HEAVY = {"torch", "torchvision", "scipy", *DRAWING}


def modules_after(code):
    """Top-level modules that a fresh interpreter loads for some code."""
    script = (
        f"import sys\nbefore = set(sys.modules)\n{code}\nprint(sorted(set(sys.modules) - before))"
    )
    output = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return {name.partition(".")[0] for name in ast.literal_eval(output)}


def test_importing_the_package_loads_nothing_else():
    loaded = modules_after("import combicam_widgets; dir(combicam_widgets)")
    assert loaded - sys.stdlib_module_names == {"combicam_widgets"}


@pytest.mark.parametrize(
    ("code", "forbidden"),
    [
        ("from combicam_widgets import list_samples; list_samples()", HEAVY),
        ("from combicam_widgets import Photo, load_image, sample; sample('koala')", HEAVY),
        (
            "from combicam_widgets import CellGrid, GeoPrediction",
            {"torch", "torchvision", *DRAWING},
        ),
        ("from combicam_widgets import load_model, GeoModel, cam", DRAWING),
        ("from combicam_widgets import exercises; exercises.check_gradcam", HEAVY),
    ],
)
def test_each_name_loads_only_what_it_needs(code, forbidden):
    assert modules_after(code) & forbidden == set()


def test_the_check_above_sees_imports():
    assert "torch" in modules_after("from combicam_widgets import load_model")


@pytest.mark.parametrize("name", ccw.__all__)
def test_every_public_name_resolves(name):
    thing = getattr(ccw, name)
    assert thing.__module__.startswith("combicam_widgets.")
    assert thing.__doc__
    assert name in dir(ccw)


def test_public_names_are_sorted_and_nothing_else_resolves():
    assert sorted(ccw.__all__) == list(ccw.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        ccw.nonsense  # noqa: B018


def test_the_version_is_a_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+([ab]\d+|rc\d+|\.dev\d+)?", ccw.__version__)


PROMISED = [
    "list_models",
    "load_model",
    "load_image",
    "sample",
    "list_samples",
    "tile",
    "GeoModel.predict",
    "GeoModel.explain",
    "GeoModel.evidence",
    "GeoModel.layer_votes",
    "GeoPrediction.best",
    "GeoPrediction.top",
    "GeoPrediction.density",
    "GeoPrediction.distance_to",
    "CellGrid.from_centers",
    "cam.architecture",
    "cam.explain",
    "cam.LayerMaps.fuse",
    "cam.LayerMaps.shares",
    "cam.LayerMaps.with_method",
    "cam.LayerMaps.save",
    "cam.LayerMaps.load",
    "cam.LayerMaps.__getitem__",
    "models.Naturalist.concepts",
    "models.Naturalist.place_of",
    "Explorer.weights",
    "Explorer.target",
    "Explorer.heatmap",
    "Explorer.prediction",
    "Explorer.evidence",
]


@pytest.mark.parametrize("path", PROMISED)
def test_promised_names_are_there(path):
    thing = ccw
    for name in path.split("."):
        thing = getattr(thing, name)


def test_promised_fields_are_there():
    assert {"probabilities", "cells"} <= set(ccw.GeoPrediction.__dataclass_fields__)
    assert {"names", "size", "target"} <= set(ccw.cam.LayerMaps.__dataclass_fields__)
    assert {"pixels", "position"} <= set(ccw.Photo.__dataclass_fields__)


def shipped_files():
    """Every file of the source package that is not made by running it."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    copy = tmp_path_factory.mktemp("build") / "source"
    copy.mkdir()
    for entry in ROOT.iterdir():
        if entry.is_file():
            shutil.copy(entry, copy)
    # With byte code: it must not get into the wheel.
    for folder in ("combicam_widgets", "tests", "recipes", "notebooks", "benchmarks"):
        if (ROOT / folder).is_dir():
            shutil.copytree(ROOT / folder, copy / folder)
    stray = copy / "combicam_widgets" / "models" / "__pycache__" / "stray.cpython-311.pyc"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "out"]
    result = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (file,) = (copy / "out").iterdir()
    return file


@pytest.fixture(scope="module")
def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {info.filename: info.file_size for info in archive.infolist()}


def test_the_wheel_holds_the_package_and_nothing_else(contents):
    package = {name for name in contents if ".dist-info/" not in name}
    assert package == shipped_files()
    assert not [name for name in contents if "__pycache__" in name or name.endswith(".pyc")]


@pytest.mark.parametrize(
    "name",
    [
        "py.typed",
        "samples/koala.webp",
        "samples/credits.csv",
        "imagery/blue_marble.jpg",
        "imagery/CREDITS.md",
        "models/atlas/weights.safetensors",
        "models/atlas/MODEL_CARD.md",
        "models/naturalist/gazetteer.csv",
        "models/naturalist/cells.npz",
        "models/naturalist/MODEL_CARD.md",
        "geo/data/coastline.json",
        "geo/data/countries.json.xz",
        "geo/data/CREDITS.md",
        "shown/fusion.js",
        "widgets/_bridge/attentive.js",
        "widgets/diagram/diagram.js",
        "widgets/diagram/diagram.css",
    ],
)
def test_the_wheel_holds_what_the_package_needs_to_run(name, contents):
    size = contents[f"combicam_widgets/{name}"]
    assert size > 0 or name == "py.typed"


def test_every_sample_is_in_the_wheel(contents):
    for name in ccw.list_samples():
        assert contents[f"combicam_widgets/samples/{name}.webp"] > 5_000


def test_the_wheel_has_a_licence_and_no_stray_folders(contents):
    assert any(re.search(r"\.dist-info/(licenses/)?LICENSE$", name) for name in contents)
    tops = {name.partition("/")[0] for name in contents}
    assert tops == {"combicam_widgets", f"combicam_widgets-{ccw.__version__}.dist-info"}


def test_the_wheel_is_small(wheel):
    assert wheel.stat().st_size < 15e6
    assert wheel.name == f"combicam_widgets-{ccw.__version__}-py3-none-any.whl"


def test_the_wheel_runs_without_the_source(wheel, tmp_path):
    """Data are found inside the installed package."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    script = (
        "import combicam_widgets as ccw\n"
        "from combicam_widgets.geo import coastline\n"
        "from combicam_widgets.models.naturalist.gazetteer import read_bumps, read_habitat\n"
        "assert coastline() and read_bumps() and len(read_habitat().cells)\n"
        "print(ccw.__file__, ccw.sample('koala'))"
    )
    command = [sys.executable, "-c", script]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert output.stdout.startswith(str(tmp_path))


def test_there_is_a_first_notebook():
    assert "01-explore.ipynb" in {path.name for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_committed_clean(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "widgets" not in notebook["metadata"]
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


def _requirements(*extras):
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    sections = [setup["options"]["install_requires"]]
    sections += [setup["options.extras_require"][extra] for extra in extras]
    return {line for section in sections for line in section.splitlines() if line}


def test_binder_and_setup_name_the_same():
    text = (ROOT / "binder" / "environment.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"^  - (.+)$", text, re.MULTILINE)) - {
        "conda-forge",
        "nodefaults",
        "pip",
    }
    named = {line for line in named if not line.startswith("python=")}
    wanted = {
        line.replace("torch>", "pytorch-cpu>") if line.startswith("torch>") else line
        for line in _requirements("lab")
    }
    # conda-forge has none or an old one: postBuild installs these with the package.
    wanted -= {line for line in wanted if re.match("efficientnet-lite0", line)}
    assert named == wanted


def test_the_conda_recipe_and_setup_name_the_same():
    text = (ROOT / "recipes" / "conda" / "combicam_widgets" / "recipe.yaml").read_text("utf-8")
    run = text[text.index("  run:") : text.index("tests:")]
    (oldest,) = re.findall(r'^  python_min: "(.+)"$', text, re.MULTILINE)
    run = run.replace("${{ python_min }}", oldest)
    named = {line.replace(" ", "") for line in re.findall(r"- (.+)", run)}
    wanted = {re.sub(r"^torch>", "pytorch>", line) for line in _requirements()}
    assert named == wanted | {"python>=3.11"}


def test_the_workflow_tests_the_pythons_that_are_promised():
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    (matrix,) = re.findall(r"^ +python: \[(.+)\]$", text, re.MULTILINE)
    tested = re.findall(r"3\.\d+", matrix)
    promised = " ".join((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split())
    assert f"The workflow tests {tested[0]} to {tested[-1]}." in promised
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    assert f"python_requires = >={tested[0]}\n" in setup


def test_the_oldest_versions_are_those_of_setup():
    script = [sys.executable, str(ROOT / ".ci" / "oldest.py")]
    lines = subprocess.run(script, capture_output=True, text=True, check=True).stdout.split()
    assert {line.replace("==", ">=") for line in lines} >= _requirements("lab", "study", "app")


def test_every_dependency_is_told():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for line in _requirements("lab", "app", "certh", "heic", "study"):
        assert re.search(rf"\b{re.split('[>=]', line)[0]}\b", text), line


def test_data_have_credits():
    assert (PACKAGE / "samples" / "credits.csv").is_file()
    credits_ = (PACKAGE / "geo" / "data" / "CREDITS.md").read_text(encoding="utf-8")
    for file in (PACKAGE / "geo" / "data").iterdir():
        assert file.name == "CREDITS.md" or f"`{file.name}`" in credits_
    card = (PACKAGE / "models" / "naturalist" / "MODEL_CARD.md").read_text(encoding="utf-8")
    for name in ("gazetteer.csv", "cells.npz", "Apache-2.0", "GeoNames", "CC BY 4.0"):
        assert name in card


# Built in pieces, so that this file does not name them itself.
MACHINE_PATH = re.compile(r"(?<![\w.:-])/(" + "|".join(["work", "tmp/" + "ref", "opt"]) + r")/")
TEXT = {
    *(".py", ".js", ".css", ".md", ".csv", ".json", ".ipynb", ".cfg", ".toml", ".cff", ".yml"),
    *(".yaml", ".txt", ".sh", ".html", ""),
}
OURS = ["combicam_widgets", "tests", "recipes", "notebooks", "benchmarks", "binder", "docs", ".ci"]


def test_texts_name_no_path_of_the_machine_they_were_written_on():
    files = [path for path in ROOT.iterdir() if path.is_file()]
    files += [path for folder in OURS for path in (ROOT / folder).rglob("*") if path.is_file()]
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in files
        if path.suffix in TEXT and "__pycache__" not in path.parts
        for match in MACHINE_PATH.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []
