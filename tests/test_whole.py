import numpy as np
import pandas as pd
import pytest
import torch

from combicam_widgets.whole import whole

NUMBERS = [3, np.int8(3), np.uint64(3), np.array(3), torch.tensor(3), pd.Series([3])[0]]
OTHERS = [True, np.True_, np.array(True), torch.tensor(True), 3.0, np.float64(3), "3", None, [3]]


@pytest.mark.parametrize("value", NUMBERS, ids=repr)
def test_whole_numbers(value):
    assert whole(value) == 3
    assert type(whole(value)) is int


@pytest.mark.parametrize("value", [*OTHERS, torch.tensor(3.0), torch.tensor([1, 2])], ids=repr)
def test_what_is_none(value):
    assert whole(value) is None
