"""What titles say of parameters, whatever a file says of them."""

import pytest
from trajstore.pipeline.draw.run_labels import LONGEST_TITLE, model_label, run_title
from trajstore.pipeline.draw.style import parameters_label, symbol


@pytest.mark.parametrize(
    ("parameter", "shown"),
    [
        ({"value": 0.1}, "= 0.1"),
        ({"value": 8 / 3}, "= 2.667"),
        ({"draw": {"uniform": [0.0, 0.5]}}, "in [0, 0.5]"),
        ({"draw": {"log_uniform": [0.1, 4.0]}}, "in [0.1, 4]"),
        ({"draw": {"grid": [1.0, 2.0, 11]}}, "in [1, 2]"),
        ({"draw": {"values": [1.0, 2.0, 4.0]}}, "in {1, 2, 4}"),
        ({"draw": {"values": [3.0, 1.0, 2.0, 5.0, 4.0]}}, "in [1, 5]"),
        ({}, "by row"),
        ({"value": float("nan")}, "by row"),
        ({"draw": {"uniform": ["a", None]}}, "by row"),
        ({"draw": {"values": []}}, "by row"),
        ({"draw": "uniform"}, "by row"),
        ({"draw": {"values": [0.3]}}, "= 0.3"),
        (
            {"draw": {"uniform": [0.0, 1.0]}, "by_split": {"test": {"values": [0.3]}}},
            "in [0, 1] (test = 0.3)",
        ),
    ],
)
def test_a_parameter_is_said_by_its_value_or_by_the_range_of_its_rows(parameter, shown):
    assert parameters_label({"mu": parameter}) == rf"$\mu$ {shown}"


def test_of_many_parameters_those_that_differ_from_row_to_row_are_said():
    many = {f"p{number}": {"value": 1.0} for number in range(8)}
    assert parameters_label(many) == ""
    assert parameters_label({**many, "q": {"draw": {"uniform": [0.0, 1.0]}}}) == "$q$ in [0, 1]"
    varying = {f"p{number}": {} for number in range(7)}
    assert parameters_label(varying).endswith("$p_{4}$ by row, 2 more by row")


def test_a_word_is_no_product_of_letters_and_odd_names_break_nothing():
    assert symbol("length") == r"$\mathrm{length}$"
    assert symbol("mu") == r"$\mu$"
    assert symbol("x1") == "$x_{1}$"
    assert symbol("a b$") == r"a b\$"


class Config:
    predictions = False

    def __init__(self, parameters):
        self.config = {"system": {"name": "damped-oscillator", "parameters": parameters}}


def test_a_long_title_has_two_lines():
    short = run_title({"config": Config({"k": {"value": 1.0}})}, "test trajectories")
    assert short == "damped-oscillator, $k$ = 1: test trajectories"
    parameters = {"k": {"draw": {"values": [1.0, 2.0]}}, "c": {"draw": {"uniform": [0.0, 0.5]}}}
    long = run_title({"config": Config(parameters)}, "50 trajectory lengths, chained")
    assert long == "damped-oscillator: 50 trajectory lengths, chained\n$k$ in {1, 2}, $c$ in [0, 0.5]"
    assert max(map(len, long.split("\n"))) <= LONGEST_TITLE


@pytest.mark.parametrize("told", [{"dataset": {"parameters": {"c": {"value": 0.3}}}}, {}])
def test_a_title_tells_the_values_of_the_rows_that_are_shown(told):
    """Of an evaluation, also an older one, those of the test split; of a training those of the train split."""
    drawn = {"draw": {"uniform": [0.1, 0.5]}, "by_split": {"test": {"values": [0.3]}}}
    results = {"config": Config({"c": drawn}), "metrics": told}
    assert run_title(results) == "damped-oscillator, $c$ = 0.3"
    assert run_title(results, learned=True) == "damped-oscillator, $c$ in [0.1, 0.5]"


@pytest.mark.parametrize(
    ("name", "label"),
    [("lstm", "LSTM"), ("shplrnn", "shplrnn"), ("transformer", "transformer"), ("own.py:Net", "own.py:Net")],
)
def test_capitals_are_for_abbreviations_alone(name, label):
    assert model_label({"config": Config({}), "metrics": {"model": {"name": name}}}) == label
