"""Errors about a config speak of tables, lists, texts and dates, as its file does."""

import pytest
from trajstore.pipeline import ConfigError

CONFIG = """
[system]
name = "van-der-pol"
[grid]
duration = 2.0
points = 21
[dataset]
train = 10
"""


@pytest.fixture
def load(loader_of):
    return loader_of(CONFIG)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("grid=[{step = 3}]", "grid: got [{'step': 3}], expected one table, with the head [grid]"),
        ("grid=3", "grid: got 3, expected a table"),
        ("observation.noise=3", "observation.noise: got 3, expected a table"),
        ("system.parameters=3", "system.parameters: got 3, expected a table"),
        ("model.encoder=3", "model.encoder: got 3, expected a list, as in [3]"),
        ("task.parameters=mu", "task.parameters: got 'mu', expected a list, as in [\"mu\"]"),
        ("evaluation.metrics=d_h", "evaluation.metrics: got 'd_h', expected a list, as in [\"d_h\"]"),
        ("model.encoder={a = 1}", "model.encoder: got {'a': 1}, expected a list"),
        (
            "system.parameters.mu=[0.1, 0.5]",
            "system.parameters.mu: got [0.1, 0.5], expected a number, or how rows draw theirs, as in "
            "{ uniform = [0.1, 0.5] }",
        ),
        (
            "system.parameters_by_split.test.mu=[1, 2]",
            "system.parameters_by_split.test.mu: got [1, 2], expected a number, or how rows draw theirs, as in "
            "{ uniform = [1, 2] }",
        ),
        ("system.parameters.mu=[1]", "system.parameters.mu: got [1], expected a valid number"),
        ("system.initial_state.x1=[1]", "system.initial_state.x1: got [1], expected at least 2 entries"),
        ("dataset.train=1.5", "dataset.train: got 1.5, expected a valid integer"),
        ("dataset.train=true", "dataset.train: got True, expected a valid integer"),
        ("dataset.train='20'", "dataset.train: got '20', expected a valid integer; leave out the quotes"),
        (
            "grid.duration='-2.5e1'",
            "grid.duration: got '-2.5e1', expected a valid number; leave out the quotes",
        ),
        ("grid.duration='2 s'", "grid.duration: got '2 s', expected a valid number"),
        ("system.parameters.mu='a'", "system.parameters.mu: got 'a', expected a valid number"),
        ("training.minutes=nan", "training.minutes: got nan, expected a finite number"),
        ("training.minutes=0", "training.minutes: got 0, expected greater than 0"),
        ("task.normalize=1", "task.normalize: got 1, expected a valid boolean"),
        ("dataset.title=3", "dataset.title: got 3, expected a valid string"),
        ("dataset.title=2026-11-22", "dataset.title: got 2026-11-22, expected a valid string"),
        (
            "grid.duration=2026-11-22T10:00:00",
            "grid.duration: got 2026-11-22T10:00:00, expected a valid number",
        ),
    ],
)
def test_what_a_key_takes_is_told_in_words_of_toml(load, override, said):
    with pytest.raises(ConfigError) as caught:
        load(override)
    assert str(caught.value).endswith(f"config.toml: {said}")


def test_an_override_is_one_value(load):
    with pytest.raises(ConfigError, match="expected one value; give each key a --set of its own"):
        load("grid.duration=4.0\ndataset.train=3")


def test_an_empty_key_is_seen(load):
    with pytest.raises(ConfigError, match=r'config.toml: training."": unknown key'):
        load("training..steps=1")


@pytest.mark.parametrize(
    ("date", "kept"),
    [
        ("2026-11-22", "2026-11-22"),
        ('"2026-11-22"', "2026-11-22"),
        ('"2024-02-29"', "2024-02-29"),
        ('"2026-11"', "2026-11"),
        ('"2026"', "2026"),
    ],
)
def test_a_date_is_a_day_a_month_or_a_year(load, date, kept):
    assert load(f"dataset.date={date}").dataset.date == kept


@pytest.mark.parametrize(
    ("date", "got"),
    [
        ('"2020-13-01"', "'2020-13-01'"),
        ('"2026-02-29"', "'2026-02-29'"),
        ('"2026-00"', "'2026-00'"),
        ('"0000"', "'0000'"),
        ('"2026-1-1"', "'2026-1-1'"),
        ('"26-01-01"', "'26-01-01'"),
        ('"\uff12\uff10\uff12\uff16"', "'\uff12\uff10\uff12\uff16'"),
        ('"22 November 2026"', "'22 November 2026'"),
        ("2026-11-22T10:00:00", "2026-11-22T10:00:00"),
        ("2026-11-22 10:00:00Z", "2026-11-22T10:00:00+00:00"),
        ("10:00:00", "10:00:00"),
        ("2026", "2026"),
        ("true", "True"),
    ],
)
def test_what_is_no_date_is_refused_in_plain_words(load, date, got):
    with pytest.raises(ConfigError, match="expected a day of the calendar without a time") as caught:
        load(f"dataset.date={date}")
    assert f"dataset.date: got {got}, expected" in str(caught.value)
