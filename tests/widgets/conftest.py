import pytest

import combicam_widgets as ccw
from combicam_widgets.widgets import Explorer


@pytest.fixture(scope="session")
def model():
    return ccw.load_model("naturalist")


@pytest.fixture
def explorer(model):
    return Explorer(model=model, image="koala")


@pytest.fixture
def at_once(monkeypatch):
    """Do what the page asks for in place, also beside browser tests, which leave a loop running."""

    def no_loop():
        raise RuntimeError("no running event loop")

    monkeypatch.setattr("combicam_widgets.widgets.background.asyncio.get_running_loop", no_loop)
