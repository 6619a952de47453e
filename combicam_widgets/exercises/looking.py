"""Checks of the lessons "What does it see?" and "Why here and not there?": places and parts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from combicam_widgets.exercises.verdict import Floats, NotYet, Right, judge, judge_function, numbers

_RADIUS = 6371.0088
"""Mean radius of the Earth in km."""


def check_position(answer: object) -> Right:
    """Check that an answer is a place: (latitude, longitude) in degrees, north and east positive.

    Any place is right, it is a guess; what is checked is that it can be one.
    """
    if isinstance(answer, str):
        raise NotYet("Give the place as two numbers, (latitude, longitude), not as words.")
    place = numbers(answer, "guess")
    if place.shape != (2,):
        raise NotYet("A place is two numbers: (latitude, longitude).")
    latitude, longitude = place
    if abs(latitude) > 90 and abs(longitude) <= 90:
        raise NotYet("The latitude comes first, and it lies between -90 and 90: are they swapped?")
    if abs(latitude) > 90 or abs(longitude) > 360:
        raise NotYet("Degrees are wanted: latitude from -90 to 90, longitude from -180 to 180.")
    if not place.any():
        raise NotYet("(0, 0) lies in the sea south of Ghana. Look at a map, and guess.")
    return Right("Noted. Do not change it when you have seen the model's answer.")


def check_distance(answer: object, one: object, other: object) -> Right:
    """Check the distance between two places in km, along the surface of the Earth.

    Parameters
    ----------
    answer : number
        km.
    one, other : (latitude, longitude)
        In degrees.
    """
    a, b = numbers(one, "place"), numbers(other, "place")
    right = _great_circle(a, b)
    apart = b - a
    usual = [
        (
            "These are metres; kilometres are wanted.",
            1000 * right,
        ),
        (
            "These are miles; kilometres are wanted.",
            right / 1.609344,
        ),
        (
            "A distance is not negative.",
            -right,
        ),
        (
            "This is the angle in degrees, not yet a distance.",
            np.degrees(right / _RADIUS),
        ),
        (
            "This is the angle in radians: times the Earth's radius it is a distance.",
            right / _RADIUS,
        ),
        (
            (
                "This takes the Earth for flat: towards the poles, a degree of longitude "
                "becomes shorter and shorter."
            ),
            np.hypot(*apart) * 111.195,
        ),
        (
            "This is only the difference in degrees.",
            np.hypot(*apart),
        ),
        (
            "This goes straight through the Earth; go along its surface.",
            2 * _RADIUS * np.sin(right / _RADIUS / 2),
        ),
        (
            "Latitude and longitude have changed places.",
            _great_circle(a[::-1], b[::-1]),
        ),
        (
            "The longitudes were left out.",
            np.radians(abs(apart[0])) * _RADIUS,
        ),
        (
            "Degrees were taken for radians.",
            _great_circle(np.degrees(a), np.degrees(b)),
        ),
    ]
    judge(answer, right, usual, "distance", tolerance=0.01)
    return Right("To within a hundredth.")


def check_kept(answer: object, whole: object, evidence: object, target: int) -> Right:
    """Check how much of the confidence the evidence keeps: p_target(evidence) / p_target(photo).

    Parameters
    ----------
    answer : number
    whole, evidence : (C,) numbers
        Probabilities of all cells for the whole photo and for the evidence.
    target : int
        The cell that is explained.
    """
    p, q = numbers(whole, "probabilities"), numbers(evidence, "probabilities")
    usual = [
        (
            "These are percent; give a part of 1.",
            100 * q[target] / p[target],
        ),
        (
            "The fraction is upside down: evidence divided by whole photo.",
            p[target] / q[target],
        ),
        (
            (
                "This is how sure the model is with the evidence alone; divide by how sure "
                "it was with the whole photo."
            ),
            q[target],
        ),
        (
            "This is how sure the model is with the whole photo.",
            p[target],
        ),
        (
            "This is what is lost; asked is what is kept.",
            1 - q[target] / p[target],
        ),
        (
            "This is a difference; asked is a fraction.",
            q[target] - p[target],
        ),
        (
            "This is a difference; asked is a fraction. ",
            p[target] - q[target],
        ),
        (
            (
                "This takes the best place of the evidence, which may be another one. Ask "
                "both times about the same place: the target."
            ),
            q.max() / p[target],
        ),
        (
            "These are the best places of both; ask both times about the target.",
            q.max() / p.max(),
        ),
        (
            "This adds up all places, which always gives 1.",
            q.sum() / p.sum(),
        ),
        (
            "This is the mean over all places; ask about the target only.",
            (q / p).mean(),
        ),
        (
            "This is how often the evidence is surer, over all places.",
            (q > p).mean(),
        ),
    ]
    judge(answer, q[target] / p[target], usual, "kept part")
    return Right("Above 1 it would mean: surer than with the whole photo.")


def check_mass(answer: object, probabilities: object, inside: object) -> Right:
    """Check the probability that a model gives to a region: the sum over its cells.

    Parameters
    ----------
    answer : number
    probabilities : (C,) numbers
        Of all cells.
    inside : (C,) truths
        Which of the cells lie in the region.
    """
    p, mask = numbers(probabilities, "probabilities"), numbers(inside, "mask") > 0
    usual = [
        (
            "These are percent; give a part of 1.",
            100 * p[mask].sum(),
        ),
        (
            "This is the probability of everything else.",
            p[~mask].sum(),
        ),
        (
            "This is the mean of the region's cells; a region's probability is their sum.",
            p[mask].mean(),
        ),
        (
            "This is the region's best cell alone; add up all of its cells.",
            p[mask].max(),
        ),
        (
            "This counts the region's cells; add up their probabilities.",
            mask.sum(),
        ),
        (
            "This is the region's share of the cells; add up their probabilities.",
            mask.mean(),
        ),
        (
            "This is the mean over all cells; add up.",
            p[mask].sum() / p.size,
        ),
        (
            "This adds up all cells, inside or not.",
            p.sum(),
        ),
        (
            "This is the ratio of inside to outside.",
            p[mask].sum() / p[~mask].sum(),
        ),
        (
            (
                "This is how much larger than its share of the cells it is: the second "
                "step, not the first."
            ),
            p[mask].sum() / mask.mean(),
        ),
        (
            "Where is the mask? This is the best cell of the whole world.",
            p.max(),
        ),
    ]
    judge(answer, p[mask].sum(), usual, "probability of the region")
    return Right("The cells of a region, added up.")


def check_largest(answer: object, values: Mapping[str, float], what: str = "layer") -> Right:
    """Check which of several has the largest value: its name.

    Parameters
    ----------
    answer : str
    values : mapping
        Number by name.
    what : str
        What is named.
    """
    names, heights = list(values), numbers(values, "values")
    if answer is None or answer is Ellipsis:
        raise NotYet("There is no name yet: put it in the place of the three dots.")
    if not isinstance(answer, str):
        kind = type(answer).__name__
        raise NotYet(
            f"Give the name of one {what} as a string, such as {names[0]!r}, not a {kind}."
        )
    if answer not in values:
        hint = " (Counting begins at 0.)" if what == "layer" else ""
        raise NotYet(f"There is no {what} {answer!r}: from {names[0]!r} to {names[-1]!r}.{hint}")
    if values[answer] == heights.min():
        raise NotYet(f"{answer} has the smallest value of all.")
    if values[answer] < heights.max():
        above = int((heights > values[answer]).sum())
        raise NotYet(f"Not {answer}: {above} of the others {'has' if above == 1 else 'have'} more.")
    return Right("No other has more.")


def check_contrast(function: object) -> Right:
    """Check ``f(logits (C,), here, there) -> number``: how much surer of one class than of another.

    log p(here) - log p(there), which is a difference of logits, since the rest cancels.
    """
    random = np.random.default_rng(5)
    cases = [(random.normal(0, 2, 6), 1, 4), (random.normal(1, 1, 3), 2, 0)]
    usual = [
        (
            "This asks why there rather than here: the signs are the wrong way round.",
            lambda z, i, j: z[j] - z[i],
        ),
        (
            "This is the score of one class alone; take the rival's away.",
            lambda z, i, _: z[i],
        ),
        (
            "This is the rival's score alone.",
            lambda z, _, j: z[j],
        ),
        (
            (
                "This is one class's log-probability, which argues against all others at "
                "once; take the rival's away."
            ),
            lambda z, i, _: z[i] - _logsum(z),
        ),
        (
            "This is one class's probability; take the logarithm, and the rival's away.",
            lambda z, i, _: np.exp(z[i] - _logsum(z)),
        ),
        (
            "This is a difference of probabilities; take their logarithms first.",
            lambda z, i, j: np.exp(z[i] - _logsum(z)) - np.exp(z[j] - _logsum(z)),
        ),
        (
            "This is a ratio of probabilities: its logarithm is wanted.",
            lambda z, i, j: np.exp(z[i] - z[j]),
        ),
        (
            "This is a ratio of logits; a difference is wanted.",
            lambda z, i, j: z[i] / z[j],
        ),
        (
            "This adds the two; a difference is wanted.",
            lambda z, i, j: z[i] + z[j],
        ),
        (
            "This is how far they are apart, without a sign: it would argue for either.",
            lambda z, i, j: abs(z[i] - z[j]),
        ),
        (
            "This is the probability of here if there were only these two.",
            lambda z, i, j: 1 / (1 + np.exp(z[j] - z[i])),
        ),
        (
            "This takes all other classes away; only the one rival.",
            lambda z, i, _: z[i] - (z.sum() - z[i]) / (z.size - 1),
        ),
    ]
    judge_function(function, cases, lambda z, i, j: z[i] - z[j], usual, "score")
    return Right("The sum over all classes cancels: only these two are compared.")


def _logsum(z: Floats) -> float:
    return float(np.log(np.exp(z - z.max()).sum()) + z.max())


def _great_circle(a: Floats, b: Floats) -> float:
    """Distance in km, by the haversine formula."""
    (lat, lon), (lat2, lon2) = np.radians(a), np.radians(b)
    h = np.sin((lat2 - lat) / 2) ** 2 + np.cos(lat) * np.cos(lat2) * np.sin((lon2 - lon) / 2) ** 2
    return float(2 * _RADIUS * np.arcsin(np.sqrt(min(max(h, 0.0), 1.0))))
