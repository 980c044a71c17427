"""Standardisation: by the numbers of the train split, and back."""

import pytest
import torch
from trajstore.data import DataError, Normalizer
from trajstore.data.statistics import Moments


def test_values_are_standardised_component_by_component_and_back():
    normalizer = Normalizer(mean=(1.0, -2.0), std=(2.0, 0.5))
    values = torch.tensor([[[3.0, -2.0], [1.0, -1.0]]])
    assert normalizer.apply(values).tolist() == [[[1.0, 0.0], [0.0, 2.0]]]
    assert torch.equal(normalizer.invert(normalizer.apply(values)), values)


def test_a_component_that_never_varies_is_shifted_and_not_divided_by_zero():
    moments = Moments(count=4, mean=[5.0, 0.0], std=[0.0, 2.0], minimum=[5.0, -2.0], maximum=[5.0, 2.0])
    assert Normalizer.of(moments).apply(torch.tensor([[5.0, 2.0]])).tolist() == [[0.0, 1.0]]


def test_moments_of_nothing_are_refused():
    with pytest.raises(DataError, match="train"):
        Normalizer.of(Moments(count=0))


def test_a_normalizer_survives_its_state():
    normalizer = Normalizer(mean=(0.1, 0.2), std=(1.5, 2.5))
    assert Normalizer.from_state_dict(normalizer.state_dict()) == normalizer
