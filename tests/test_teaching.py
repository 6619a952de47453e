"""What teachers copy: the files for a JupyterHub fit the repository and each other."""

import configparser
import re
import shlex
from pathlib import Path, PurePosixPath

import yaml

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "teaching" / "class.md").read_text(encoding="utf-8")

# What is used of values.schema.yaml of the chart of Zero to JupyterHub, as of July 2026.
SCHEMA = {
    "singleuser": {
        "image": {"name": str, "tag": str},
        "defaultUrl": str,
        "memory": {"guarantee": str, "limit": str},
        "cpu": {"guarantee": float, "limit": int},
    },
    "prePuller": {"hook": {"enabled": bool}},
    "cull": {"timeout": int},
}


def block(language):
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return text


def kinds(values):
    return {k: kinds(v) if isinstance(v, dict) else type(v) for k, v in values.items()}


def instructions():
    lines = [line for line in block("dockerfile").splitlines() if not line.startswith("#")]
    return [line.split(maxsplit=1) for line in "\n".join(lines).replace("\\\n", " ").splitlines()]


def test_the_values_are_as_the_chart_reads_them():
    assert kinds(yaml.safe_load(block("yaml"))) == SCHEMA


def test_the_image_holds_what_the_values_open():
    steps = instructions()
    assert [name for name, _ in steps] == ["FROM", "USER", "COPY", "RUN", "USER", "ENV"]
    (copied,) = [shlex.split(words) for name, words in steps if name == "COPY"]
    assert copied[0] == "."
    (run,) = [words for name, words in steps if name == "RUN"]
    commands = [shlex.split(command) for command in run.split("&&")]
    assert [command[0] for command in commands] == ["pip", "pip", "cp", "rm", "chown"]

    package = commands[1][-1]
    assert package.startswith(f"{copied[1]}[")
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = package.partition("[")[2].rstrip("]").split(",")
    assert set(extras) <= set(setup["options.extras_require"])

    source, target = commands[2][-2:]
    opened = yaml.safe_load(block("yaml"))["singleuser"]["defaultUrl"].removeprefix("/lab/tree/")
    # A server's files begin at the home folder, /home/jovyan in these images.
    inside = PurePosixPath("/home/jovyan", opened).relative_to(target)
    assert (ROOT / PurePosixPath(source).relative_to(copied[1]) / inside).exists()
    removed = PurePosixPath(commands[3][-1]).relative_to(target)
    assert (ROOT / "notebooks" / removed).is_dir()
    assert removed.name == "teacher"
    assert steps[-2] == ["USER", "${NB_UID}"]  # not root


def test_each_lesson_has_a_few_slides_that_fit_a_screen():
    text = (ROOT / "docs" / "teaching" / "slides.md").read_text(encoding="utf-8")
    decks = dict(
        re.findall(
            r"^## (\d\. [^\n]*)\n\n````markdown\n(.*?)^````$", text, re.MULTILINE | re.DOTALL
        )
    )
    lessons = sorted((ROOT / "recipes" / "lessons").glob("*.md"))
    titles = [path.read_text(encoding="utf-8").splitlines()[0] for path in lessons]
    assert [f"# Lesson {title}" for title in decks] == titles
    for deck in decks.values():
        slides = deck.split("\n---\n")
        assert 4 <= len(slides) <= 6
        for slide in slides:
            heading, *lines = slide.strip().splitlines()
            assert heading.startswith("#")
            assert 1 <= len(lines) <= 5
            assert max(map(len, lines)) < 90


def test_thirty_kernels_do_not_take_all_threads():
    (settings,) = [words.split() for name, words in instructions() if name == "ENV"]
    assert "OMP_NUM_THREADS=1" in settings
