import pytest

import combicam_widgets as ccw
from combicam_widgets.widgets import Explorer


@pytest.fixture(scope="session")
def model():
    return ccw.load_model("naturalist")


@pytest.fixture
def explorer(model):
    return Explorer(model=model, image="koala")
