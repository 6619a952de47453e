"""Make a hand-out for each lesson: ``build/handouts/lesson-1.html`` to ``lesson-6.html``.

    python -m recipes.handouts

Each is one file that works without a kernel and the internet, and prints as a work sheet: photos,
layers to toggle, and questions with room for answers. They are made, not kept.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "handouts"


@dataclass(frozen=True)
class Handout:
    """What is asked about which photos, after which lesson."""

    title: str
    image: str
    questions: tuple[str, ...]
    photos: tuple[str, ...] = ()
    model: str = "naturalist"


HANDOUTS = (
    Handout(
        "1. What does it see?",
        "kangaroo",
        (
            "Which layer has the largest share? What does its map follow?",
            "On the screen: press “last layer”. What changes in the photo, and in your trust?",
            "Which parts of the photo would you have chosen?",
        ),
        ("koala",),
    ),
    Handout(
        "2. What a CAM is",
        "koala",
        (
            "A channel is bright on the koala, and the answer does not depend on it. What of it?",
            "Write the four steps of Grad-CAM in your own words.",
            "What does relu throw away?",
        ),
    ),
    Handout(
        "3. Which layer?",
        "kangaroo",
        (
            "Which layer would you print? Why?",
            "Which two layers alone keep the answer in Australia?",
            "A large share: is it a large merit? Give an example from this page.",
        ),
        ("panda",),
    ),
    Handout(
        "4. Is it right?",
        "scarlet_macaw",
        (
            "How much of the confidence should the hottest 30 % keep? How much do they?",
            "Name two heatmaps that know nothing of the network. What are they good for?",
            "What would convince you that this heatmap is wrong?",
        ),
    ),
    Handout(
        "5. Why here and not there?",
        "jaguar",
        (
            "Draw: what speaks for Brazil rather than South Africa? Rather than Paris?",
            "The palace stands in India, the model says Europe. Does the heatmap say why?",
            "Who could be harmed by a model that locates photos?",
        ),
        ("mysore_palace",),
    ),
    Handout(
        "6. Your own",
        "Madagascar",
        (
            "Colours or shapes: what does this network look at? How could you find out?",
            "Your rule, in one sentence. On which photos will you choose it, on which test it?",
            "What does your result not show?",
        ),
        model="atlas",
    ),
)


def make(folder: Path = FOLDER, handouts: tuple[Handout, ...] = HANDOUTS) -> list[Path]:
    """Write the hand-outs into a folder."""
    from combicam_widgets import Explorer  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for handout in handouts:
        explorer = Explorer(model=handout.model, image=handout.image)
        path = folder / f"lesson-{handout.title[0]}.html"
        explorer.to_html(
            path, title=handout.title, photos=handout.photos, questions=handout.questions
        )
        explorer.close()
        paths.append(path)
    return paths


def main() -> None:
    """Write them all."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    for path in make():
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
