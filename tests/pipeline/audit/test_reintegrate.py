"""Do the states follow from the equations? A sound dataset passes, and an altered one does not."""

import json

import numpy as np
import pytest
from trajstore.data import read_shard, verify
from trajstore.data.base.hashing import canonical_json
from trajstore.pipeline import Selection, generate, reintegrate, select
from trajstore.pipeline.audit.reintegrate import Reintegration

pytestmark = pytest.mark.slow

FILE = "train-00001.h5"


@pytest.fixture(scope="module")
def small_dataset(experiment, tmp_path_factory):
    """A smaller one than other tests have: 12 + 12 + 6, 6 and 4 rows; not to be changed."""
    folder = tmp_path_factory.mktemp("small") / "dataset"
    dataset = {"train": 30, "validation": 6, "test": 4, "shard_rows": 12}
    generate(experiment(dataset=dataset), folder, jobs=1)
    return folder


def altered(folder, index, change):
    state = read_shard(folder / FILE).state.copy()
    state[index] += change
    return state


@pytest.mark.parametrize("seed", range(3))
def test_a_sound_dataset_passes(small_dataset, seed):
    result = reintegrate(small_dataset, 20, seed)
    assert result.problems == []
    assert result.rows == 20
    # float32 of numbers up to about 8
    assert 0 < result.largest < 1e-6


def test_every_row_of_a_sound_dataset_passes(small_dataset):
    result = reintegrate(small_dataset, 1000)
    assert result.rows == 40
    assert result.problems == []


@pytest.mark.parametrize("index", [(5, 20, 0), (5, 10, 1), (11, 1, 0), (0, 20, 1)])
@pytest.mark.parametrize("change", [1e-4, -1e-4, 1e-5])
def test_one_state_off_by_little_is_found_though_every_hash_is_right(dataset_copy, forge, index, change):
    forge(dataset_copy, FILE, state=altered(dataset_copy, index, change))
    assert verify(dataset_copy) == []
    result = reintegrate(dataset_copy / FILE, 1000)
    assert len(result.problems) == 1
    assert result.problems[0].startswith(f"{FILE}: row {12 + index[0]}: ")
    assert "do not follow from the equations" in result.problems[0]
    assert result.largest == pytest.approx(abs(change), rel=0.2)


def test_states_of_another_row_are_found(dataset_copy, forge):
    state = read_shard(dataset_copy / FILE).state.copy()
    state[7, 1:] = state[8, 1:]
    forge(dataset_copy, FILE, state=state)
    assert len(reintegrate(dataset_copy / FILE, 1000).problems) == 1


def test_other_equations_are_found(dataset_copy, forge):
    text = str(read_shard(dataset_copy / FILE).attributes["system"])
    forge(dataset_copy, FILE, attributes={"system": text.replace("mu*(1 -", "mu*(1.001 -")})
    assert len(reintegrate(dataset_copy / FILE, 1000).problems) == 12


def test_another_parameter_is_found(dataset_copy, forge):
    values = read_shard(dataset_copy / FILE).parameters["mu"].copy()
    values[4] = 0.1001
    forge(dataset_copy, FILE, parameters={"mu": values})
    assert [line.split(":")[1] for line in reintegrate(dataset_copy / FILE, 1000).problems] == [" row 16"]


def test_an_initial_state_off_by_little_is_found(dataset_copy, forge):
    starts = read_shard(dataset_copy / FILE).initial_state.copy()
    starts[9, 0] += 1e-4
    forge(dataset_copy, FILE, initial_state=starts)
    assert [line.split(":")[1] for line in reintegrate(dataset_copy / FILE, 1000).problems] == [" row 21"]


def test_a_sound_row_declared_failed_and_a_failed_row_declared_sound_are_found(
    dataset_copy, failing_dataset, forge
):
    shard = read_shard(dataset_copy / FILE)
    state, status = shard.state.copy(), shard.status.copy()
    state[3], status[3] = np.nan, 1
    forge(dataset_copy, FILE, state=state, status=status)
    assert verify(dataset_copy) == []
    found = reintegrate(dataset_copy / FILE, 1000).problems
    assert len(found) == 1
    assert "row 15: is stored as failed, but does not fail" in found[0]


def test_rows_that_fail_again_pass(failing_dataset):
    result = reintegrate(failing_dataset, 1000)
    assert result.rows == 52
    assert result.problems == []
    assert result.largest < 1e-9


def test_rows_that_failed_at_times_that_were_cut_off_are_not_accused(failing_dataset, tmp_path):
    select(failing_dataset, tmp_path / "part", Selection(time=(0.0, 1.0)))
    result = reintegrate(tmp_path / "part", 1000)
    assert (result.rows, result.problems) == (52, [])


def test_rows_that_failed_because_the_stored_type_is_too_small_pass(experiment, tmp_path):
    # e^200 is a number in double precision, in which rows are integrated again, and none in single.
    system = {
        "name": "growth",
        "equations": {"x": "k*x"},
        "parameters": {"k": 100.0},
        "initial_state": {"x": [0.0, 1.0]},
    }
    generate(
        experiment(system=system, dataset={"train": 5, "validation": 0, "test": 0}),
        tmp_path / "dataset",
        jobs=1,
    )
    assert reintegrate(tmp_path / "dataset", 50).problems == []


def test_a_single_file_passes_and_is_found_out(dataset_copy, forge):
    assert reintegrate(dataset_copy / FILE, 1000).problems == []
    forge(dataset_copy, FILE, state=altered(dataset_copy, (5, 20, 0), 1e-4))
    assert len(reintegrate(dataset_copy / FILE, 1000).problems) == 1


def test_the_other_engine_is_the_judge(small_dataset, experiment, tmp_path):
    assert "DOP853" in reintegrate(small_dataset, 5).engine
    config = experiment(engine={"name": "scipy"}, dataset={"train": 5, "validation": 0, "test": 0})
    generate(config, tmp_path / "dataset", jobs=1)
    result = reintegrate(tmp_path / "dataset", 5)
    assert result.engine == "taylor"
    assert result.problems == []


def test_the_tutorials_dataset_passes(experiment, tmp_path):
    config = experiment(
        grid={"duration": 2.0, "step": 0.1, "resample": "linear"},
        engine={
            "name": "scipy",
            "method": "RK45",
            "tolerance": 1e-3,
            "absolute_tolerance": 1e-6,
            "max_step": 0.1,
        },
        dataset={"train": 150, "validation": 0, "test": 0},
    )
    generate(config, tmp_path / "dataset", jobs=1)
    result = reintegrate(tmp_path / "dataset", 150)
    assert result.problems == []
    # Its labels are off by up to 2e-2, and that is all.
    assert 1e-3 < result.largest < 4e-2


def test_a_linear_dataset_with_a_state_altered_by_more_than_its_sagitta_is_found(experiment, tmp_path, forge):
    config = experiment(
        grid={"duration": 2.0, "step": 0.1, "resample": "linear"},
        engine={"name": "scipy", "method": "DOP853", "max_step": 0.1},
        dataset={"train": 40, "validation": 0, "test": 0},
    )
    folder = tmp_path / "dataset"
    generate(config, folder, jobs=1)
    assert reintegrate(folder, 40).problems == []
    forge(folder, "train-00001.h5", state=altered(folder, (3, 11, 1), 0.5))
    assert len(reintegrate(folder, 40).problems) == 1


@pytest.mark.parametrize(
    "engine",
    [
        {"name": "heyoka", "tolerance": 1e-6},
        {"name": "scipy", "tolerance": 1e-6},
        {"name": "scipy", "method": "RK45", "tolerance": 1e-3},
        {"name": "scipy", "method": "LSODA", "tolerance": 1e-8},
        {"name": "scipy", "method": "Radau", "tolerance": 1e-6},
        {"name": "scipy", "tolerance": 1e-12, "absolute_tolerance": 1e-4},
        {"name": "scipy", "tolerance": 1e-4, "absolute_tolerance": 1e-12},
    ],
    ids=lambda engine: ",".join(map(str, engine.values())),
)
def test_a_sound_dataset_of_any_engine_and_tolerance_passes(experiment, tmp_path, engine):
    dataset = {"train": 25, "validation": 0, "test": 0, "dtype": "float64"}
    generate(experiment(engine=engine, dataset=dataset), tmp_path / "dataset", jobs=1)
    result = reintegrate(tmp_path / "dataset", 25)
    assert result.problems == []


def test_a_stiff_dataset_passes(experiment, tmp_path):
    config = experiment(
        system={"name": "van-der-pol", "parameters": {"mu": 100.0}},
        grid={"duration": 200.0, "points": 41},
        dataset={"train": 1, "validation": 0, "test": 0, "dtype": "float64"},
    )
    generate(config, tmp_path / "dataset", jobs=1)
    result = reintegrate(tmp_path / "dataset", 1)
    assert result.problems == []


def chaos(experiment, folder, rows=1, dtype="float64", **sections):
    """Lorenz (1963) to t = 36: errors of 1e-12 are as large as the attractor at t = 32."""
    config = experiment(
        system={"name": "lorenz", "parameters": {}},
        grid={"duration": 36.0, "points": 721},
        dataset={"train": rows, "validation": 0, "test": 0, "dtype": dtype},
        **sections,
    )
    generate(config, folder, jobs=1)
    return folder, "train-00000.h5"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_chaos_hides_is_followed_from_stored_states_and_a_late_state_off_by_little_is_found(
    experiment, tmp_path, forge, dtype
):
    folder, file = chaos(experiment, tmp_path / "dataset", 4, dtype)
    state, altered_at = read_shard(folder / file).state.copy(), [(100, 1e-3), (600, 0.02), (720, 0.02)]
    for row, (place, change) in enumerate(altered_at):
        state[row, place, 2] += change
    forge(folder, file, state=state)
    found = reintegrate(folder, 4)
    assert (len(found.problems), found.lost) == (3, 0), "the last row is sound"
    for row, (place, change) in enumerate(altered_at):
        assert f"row {row}: z is off by {change:.1e} at time {place * 0.05:g}" in found.problems[row]


def test_sound_chaos_stays_far_from_what_is_allowed(experiment, tmp_path):
    found = reintegrate(chaos(experiment, tmp_path / "dataset", 2)[0], 2)
    assert (found.problems, found.lost) == ([], 0)
    assert found.share < 0.5


def test_a_chaotic_row_that_is_declared_failed_is_found(experiment, tmp_path, forge):
    folder, file = chaos(experiment, tmp_path / "dataset")
    shard = read_shard(folder / file)
    forge(folder, file, state=shard.state * np.nan, status=shard.status + 1)
    (problem,) = reintegrate(folder, 1).problems
    assert "row 0: is stored as failed, but does not fail" in problem


def test_another_trajectory_from_a_late_time_on_is_found(experiment, tmp_path, forge):
    folder, file = chaos(experiment, tmp_path / "dataset", 2)
    state = read_shard(folder / file).state.copy()
    state[0, 700:] = state[1, 700:]
    forge(folder, file, state=state)
    (problem,) = reintegrate(folder, 2).problems
    assert "row 0: " in problem
    assert " is off by " in problem


@pytest.mark.parametrize(
    ("observation", "found"),
    [
        ({"components": ["x", "z"]}, True),
        ({"noise": {"absolute": 0.01}}, True),
        # Its size depends on states that nobody knows.
        ({"noise": {"relative": 0.01}}, False),
    ],
    ids=["partial", "absolute", "relative"],
)
def test_what_chaos_hides_is_counted_where_no_state_is_stored_to_go_on_from(
    experiment, tmp_path, forge, observation, found
):
    folder, file = chaos(experiment, tmp_path / "dataset", 2, observation=observation)
    state = read_shard(folder / file).state.copy()
    state[1, 40] += 1e-3
    forge(folder, file, state=state)
    result = reintegrate(folder, 2)
    assert (len(result.problems), result.lost) == (found, 2)


def test_noisy_chaos_is_followed_along_its_clean_states(experiment, tmp_path):
    observation = {"noise": {"relative": 0.01}, "clean": True}
    found = reintegrate(chaos(experiment, tmp_path / "dataset", observation=observation)[0], 1)
    assert (found.problems, found.lost) == ([], 0)


def test_as_many_rows_are_checked_as_were_asked_for_where_there_are_so_many(small_dataset):
    # 12 + 12 + 6 + 6 + 4 rows: an equal share of 35 is 7, more than three of the shards have.
    assert reintegrate(small_dataset, 35).rows == 35
    assert reintegrate(small_dataset, 3).rows == 3
    assert reintegrate(small_dataset, 41).rows == 40


def test_few_rows_are_drawn_over_all_shards_and_not_always_from_the_first(dataset_copy, forge):
    file = "test-00000.h5"
    state = read_shard(dataset_copy / file).state + np.float32(1e-2)
    state[:, 0] -= np.float32(1e-2)
    forge(dataset_copy, file, state=state)
    found = [bool(reintegrate(dataset_copy, 2, seed).problems) for seed in range(12)]
    assert any(found)


def test_the_rows_are_a_function_of_the_seed(small_dataset):
    assert reintegrate(small_dataset, 7, 1).largest == reintegrate(small_dataset, 7, 1).largest
    assert len({reintegrate(small_dataset, 7, seed).largest for seed in range(4)}) > 1


def test_equations_of_a_stranger_are_parsed_and_not_run(dataset_copy, forge, tmp_path):
    from trajstore.data import TrajstoreError

    system = json.loads(str(read_shard(dataset_copy / FILE).attributes["system"]))
    system["equations"]["x2"] = f"__import__('pathlib').Path('{tmp_path}/pwned').touch()"
    forge(dataset_copy, FILE, attributes={"system": canonical_json(system)})
    with pytest.raises(TrajstoreError, match="x2"):
        reintegrate(dataset_copy, 10)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", ["system", "engine"])
@pytest.mark.parametrize("text", ["{", "[]", "1", "null", "{}"])
def test_a_file_without_equations_or_engine_is_one_clear_error(dataset_copy, forge, name, text):
    from trajstore.data import TrajstoreError

    forge(dataset_copy, FILE, attributes={name: text})
    if (name, text) == ("engine", "{}"):
        return
    with pytest.raises(TrajstoreError):
        reintegrate(dataset_copy, 10)


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"observation": {"noise": {"relative": "much"}}}, "observation.noise.relative"),
        ({"observation": {"components": ["q"]}}, "no state 'q'"),
        ({"system": {"kind": "delay"}}, "has 0 delays"),
        ({"system": {"kind": ["delay"]}}, "not the description of a system"),
    ],
)
def test_a_config_that_cannot_be_repeated_is_one_line_that_names_the_file(
    dataset_copy, forge, sections, said
):
    from trajstore.data import FormatError

    config = json.loads(str(read_shard(dataset_copy / FILE).attributes["config"]))
    for section, changes in sections.items():
        config[section] = {**config.get(section, {}), **changes}
    texts = {"config": canonical_json(config), "system": canonical_json(config["system"])}
    forge(dataset_copy, FILE, attributes=texts)
    with pytest.raises(FormatError) as caught:
        reintegrate(dataset_copy / FILE, 3)
    assert str(caught.value).startswith(f"{dataset_copy / FILE}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "http" not in str(caught.value)


@pytest.mark.parametrize("rows", [1, 4, 1000])
def test_rows_that_all_failed_pass(experiment, tmp_path, rows):
    # x' = x**2 from above 1 is infinite before the time is 1.
    system = {"name": "blow-up", "equations": {"x": "x**2"}, "initial_state": {"x": [1.0, 2.0]}}
    grid = {"duration": 2.0, "points": 21}
    dataset = {"train": 5, "validation": 1, "test": 0, "shard_rows": 3}
    generate(experiment(system=system, grid=grid, dataset=dataset), tmp_path / "dataset", jobs=1)
    found = reintegrate(tmp_path / "dataset", rows)
    assert (found.rows, found.problems, found.numbers) == (min(rows, 6), [], 0)
    # A share of nothing is no share; the JSON stays numbers.
    said = f"nothing could be judged, for all {min(rows, 6)} rows that were drawn are stored as failed"
    assert found.remark() == said
    assert (found.facts()["judged"], found.facts()["coarsely"]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("judged", "said"), [(1.0, "100 %"), (0.99999, "99.999 %"), (0.0, "0 %"), (0.1, "10 %")]
)
def test_shares_that_were_judged_are_told_as_all_percentages_are(judged, said):
    found = Reintegration(3, "DOP853", 0.0, 0.0, 100, judged, 1.0, 0, [])
    assert f"judged {said} of the points" in found.remark()


def test_of_failed_and_sound_rows_the_sound_ones_are_judged(experiment, tmp_path):
    system = {"name": "blow-up", "equations": {"x": "x**2"}, "initial_state": {"x": [-1.0, 1.0]}}
    grid = {"duration": 2.0, "points": 21}
    dataset = {"train": 40, "validation": 0, "test": 0, "shard_rows": 40}
    generate(experiment(system=system, grid=grid, dataset=dataset), tmp_path / "dataset", jobs=1)
    sound = int((read_shard(tmp_path / "dataset/train-00000.h5").status == 0).sum())
    assert 0 < sound < 40
    found = reintegrate(tmp_path / "dataset", 40)
    assert (found.rows, found.numbers) == (40, 21 * sound)
    assert "of the points to 1e-6" in found.remark()
