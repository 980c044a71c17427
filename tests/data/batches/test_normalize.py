"""Standardisation: by the numbers of the train split, and back."""

import numpy as np
import pytest
import torch
from trajstore.data import DataError, Normalizer
from trajstore.data.shard.statistics import Moments


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


def test_lists_arrays_and_whole_numbers_are_taken_as_tensors_are():
    normalizer = Normalizer(mean=[1.0, -2.0], std=np.array([2.0, 0.5]))
    assert normalizer == Normalizer(mean=(1.0, -2.0), std=(2.0, 0.5))
    assert hash(normalizer)
    expected = torch.tensor([[0.0, 4.0], [0.5, 8.0]])
    for values in ([[1, 0], [2, 2]], np.array([[1, 0], [2, 2]]), torch.tensor([[1, 0], [2, 2]])):
        torch.testing.assert_close(normalizer.apply(values), expected)
        back = normalizer.invert(normalizer.apply(values))
        torch.testing.assert_close(back, torch.as_tensor(values).float())
    assert normalizer.apply(np.zeros((1, 2))).dtype == torch.float64
    torch.testing.assert_close(normalizer.apply([0.0, 0.0]), torch.tensor([-0.5, 4.0]))
    assert Normalizer.of_columns([[1, 5], [3, 5]]) == Normalizer((2.0, 5.0), (1.0, 1.0))


@pytest.mark.parametrize("values", [[1.0], [[1.0, 2.0, 3.0]], 3.0])
def test_values_of_another_number_of_components_are_refused(values):
    with pytest.raises(DataError, match="2 components"):
        Normalizer((0.0, 0.0), (1.0, 1.0)).apply(values)


@pytest.mark.parametrize("std", [(1.0,), (1.0, 0.0), (1.0, float("nan"))])
def test_a_normalizer_that_cannot_be_undone_is_refused(std):
    with pytest.raises(DataError, match="deviations above 0"):
        Normalizer((0.0, 0.0), std)
