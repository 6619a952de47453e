"""What tests of several rooms share."""

import os

# One thread for torch: the tests run side by side, and threads that wait for each other crawl.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest

from combicam_widgets.cam import rules


@pytest.fixture
def rules_as_they_were():
    """The fusion rules of before, whatever a test registers."""
    before = dict(rules._RULES)
    yield
    rules._RULES.clear()
    rules._RULES.update(before)
