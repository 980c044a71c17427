"""Percentages: short, never in powers of ten, and neither none nor all where it is not."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trajstore.pipeline.describe.phrases import percentage


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (0, 100, "0 %"), (100, 100, "100 %"), (1, 100, "1 %"), (99, 100, "99 %"), (1, 3, "33 %"), (2, 3, "67 %"),
        (1, 8, "12 %"), (52, 1000, "5.2 %"), (999, 1000, "99.9 %"), (1, 3_000_000, "0.000033 %"),
        (999_999, 1_000_000, "99.9999 %"), (0, 0, "0 %"), (0.0123, 1.0, "1.2 %"), (1.0, 1.0, "100 %"),
        (-1e-17, 1.0, "0 %"), (1.0 + 1e-15, 1.0, "100 %"),
    ],
)  # fmt: skip
def test_known_shares(part, whole, said):
    assert percentage(part, whole) == said


@given(whole=st.integers(1, 10**9), data=st.data())
def test_a_percentage_is_right_to_two_digits_of_what_is_less_and_of_what_is_left(whole, data):
    part = data.draw(st.integers(0, whole))
    text = percentage(part, whole)
    assert re.fullmatch(r"\d{1,3}(\.\d*[1-9])? %", text)
    said, least = float(text.removesuffix(" %")), 100 * min(part, whole - part) / whole
    assert said == pytest.approx(100 * part / whole, abs=0.0501 * least + 1e-12)
    assert (text == "0 %") == (part == 0)
    assert (text == "100 %") == (part == whole)
