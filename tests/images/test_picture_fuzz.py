import pytest

from benchmarks import fuzz


@pytest.mark.filterwarnings("ignore")  # Pillow's
@pytest.mark.parametrize("start", range(0, 500, 100))
def test_hostile_pictures_are_read_or_refused_in_words(start):
    for seed in range(start, start + 100):
        fuzz.attempt("pictures", seed)
