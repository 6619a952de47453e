import pytest

from benchmarks import fuzz


@pytest.mark.parametrize("start", range(0, 500, 100))
def test_hostile_grids_are_made_or_refused_in_words(start):
    for seed in range(start, start + 100):
        fuzz.attempt("grids", seed)
