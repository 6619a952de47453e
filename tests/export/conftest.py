import pytest
from snapshots import make_snapshot


@pytest.fixture
def snapshot():
    return make_snapshot()
