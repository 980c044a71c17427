"""The data card: says what the files hold, its blocks run as they stand, and no text from a config breaks it."""

import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt
from matplotlib import mathtext
from trajstore.data import load_manifest, verify
from trajstore.data.base.hashing import canonical_json, json_hash
from trajstore.pipeline import generate
from trajstore.pipeline.cli.main import main
from trajstore.pipeline.describe.card import data_card
from trajstore.pipeline.describe.description import Description
from trajstore.pipeline.describe.documents import save_dataset
from trajstore.pipeline.describe.phrases import LONGEST, line

pytestmark = pytest.mark.slow

EVIL = "a | b\n\n# <script>alert(1)</script> **x** `y` $z$ [l](http://e) ``` &amp; ![i](u) _u_ </details> \\"


def card_of(folder) -> str:
    """What people read of it."""
    return body((folder / "README.md").read_text(encoding="utf-8"))


def body(text: str) -> str:
    """A card without the YAML for programs before it."""
    assert text.startswith("---\n")
    return text.partition("\n---\n\n")[2]


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a Markdown text as a reader sees them, by another program."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    found: list[list[list[str]]] = []
    for before, token in pairwise(tokens):
        if before.type == "table_open":
            found.append([])
        if before.type == "tr_open":
            found[-1].append([])
        if before.type in ("th_open", "td_open"):
            found[-1][-1].append("".join(part.content for part in token.children))
    return found


def blocks(text: str, language: str) -> list[str]:
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    return [token.content for token in tokens if token.type == "fence" and token.info == language]


def measured(make_shard, write_dataset, folder, **changes):
    shard = replace(make_shard(12, failed=(3,)), **changes)
    write_dataset(folder, {"train": [shard]})
    save_dataset(folder, load_manifest(folder))
    return folder


@pytest.fixture(scope="module", params=["planar", "failing", "measured", "forty"])
def described(
    request, small_dataset, failing_dataset, make_shard, write_dataset, experiment, tmp_path_factory
):
    """Datasets of every kind, with their documents. Not to be changed."""
    tmp_path = tmp_path_factory.mktemp("card")
    if request.param == "planar":
        return small_dataset
    if request.param == "failing":
        return failing_dataset
    if request.param == "measured":
        return measured(make_shard, write_dataset, tmp_path / "measured")
    names = [f"x{index}" for index in range(40)]
    system = {
        "name": "lorenz-96",
        "equations": {
            name: f"(x{(index + 1) % 40} - x{index - 2 if index > 1 else index + 38})*x{index - 1 if index else 39} "
            f"- {name} + force"
            for index, name in enumerate(names)
        },
        "parameters": {"force": 8.0},
        "initial_state": {name: [7.0, 9.0] for name in names},
    }
    config = experiment(system=system, grid={"duration": 0.5, "points": 6}, dataset={"train": 8, "test": 2})
    generate(config, tmp_path / "forty", jobs=1)
    return tmp_path / "forty"


def test_the_python_of_a_card_runs_in_the_folder_of_the_dataset(described, monkeypatch):
    script = "\n".join(blocks(card_of(described), "python"))
    assert {"trajstore", "xarray", "h5py"} <= set(re.findall(r"\w+", script))
    checks = """
import numpy
assert sound.shape[1:] == (len(time), inputs.shape[1])
numpy.testing.assert_array_equal(targets, sound[0].astype("float32"))
numpy.testing.assert_array_equal(first, sound[:, :, 0])
"""
    monkeypatch.chdir(described)
    exec(script + checks, {})


def test_the_python_of_a_card_takes_five_lines_each(described):
    for block in blocks(card_of(described), "python"):
        assert len([text for text in block.splitlines() if text]) <= 5


def test_the_commands_that_check_a_dataset_find_it_sound(described):
    without, with_it = blocks(card_of(described), "sh")
    script = (without + with_it).replace("trajstore verify", "python -m trajstore.pipeline verify")
    script = script.replace("python -", f"{sys.executable} -")
    done = subprocess.run(["bash", "-ec", script], cwd=described, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "README.md: OK" in done.stdout
    assert ("integrated again" in done.stdout) == ("--reintegrate" in with_it)


def test_without_trajstore_an_edited_file_is_found(dataset_copy):
    first, second = blocks(card_of(dataset_copy), "sh")[0].splitlines()
    with h5py.File(next(dataset_copy.glob("train-*.h5")), "r+") as file:
        file["state"][0, 0, 0] = np.nan
    for command in (first, second.replace("python -", f"{sys.executable} -")):
        done = subprocess.run(["bash", "-ec", command], cwd=dataset_copy, capture_output=True, text=True)
        assert done.returncode != 0


def test_counts_and_statistics_are_those_of_the_files(described):
    rows = [row for table in tables(card_of(described)) for row in table]
    found = {(row[0], len(row)): row[1:] for row in rows}
    for split in ("train", "validation", "test"):
        parts = [h5py.File(path) for path in sorted(described.glob(f"{split}-*.h5"))]
        status = np.concatenate([np.zeros(0), *(part["status"][()] for part in parts)])
        assert found[split, 4] == [f"{len(status):,}", str((status != 0).sum()), str(len(parts))]
        if split == "train":
            states = np.concatenate([part["state"][()] for part in parts])[status == 0].astype(np.float64)
            for index, name in enumerate(parts[0]["component"].asstr()[()]):
                values = states[:, :, index]
                expected = (values.mean(), values.std(), values.min(), values.max())
                shown = [float(cell) for cell in found[name, 5]]
                np.testing.assert_allclose(shown, expected, rtol=1e-5, atol=1e-9)
        for part in parts:
            part.close()


def test_the_equations_are_there_as_latex_and_as_text(small_dataset):
    text = card_of(small_dataset)
    assert blocks(text, "text") == ["x1' = x2\nx2' = mu*(1 - x1**2)*x2 - x1\n"]
    (latex,) = re.findall(r"^\$\$\n(.*?)\n\$\$$", text, flags=re.M | re.S)
    assert latex == (
        "\\begin{aligned}\n\\dot{x_{1}} &= x_{2} \\\\\n"
        "\\dot{x_{2}} &= \\mu x_{2} \\left(1 - x_{1}^{2}\\right) - x_{1}\n\\end{aligned}"
    )


def test_another_program_reads_the_latex(described):
    parser = mathtext.MathTextParser("path")
    latex = re.findall(
        r"^\$\$\n\\begin\{aligned\}\n(.*?)\n\\end\{aligned\}\n\$\$$", card_of(described), flags=re.M | re.S
    )
    components = load_manifest(described).components
    if "noise" in card_of(described):
        assert latex == []
        return
    lines = latex[0].split(" \\\\\n")
    assert len(lines) == len(components)
    for text in lines:
        parser.parse(f"${text.replace('&', '')}$")


def test_measured_data_say_that_there_are_no_equations(make_shard, write_dataset, tmp_path):
    folder = measured(make_shard, write_dataset, tmp_path / "measured")
    text = card_of(folder)
    assert "Measured: no equations." in text
    assert "$$" not in text
    assert "--reintegrate" not in text
    assert verify(folder) == []


def test_a_dataset_made_of_others_names_them(small_dataset):
    kept = load_manifest(small_dataset)
    derived = {
        "operation": "select",
        "arguments": {"split": "train", "rows": "0:10"},
        "sources": [{"id": kept.id, "software": {"trajstore": "0.1.0"}, "derived": {"operation": "merge"}}],
    }
    manifest = kept.model_copy(update={"config": {**kept.config, "derived": derived}})
    text = data_card(manifest, {}, {})
    assert '- by select {"split": "train", "rows": "0:10"}' in text
    assert f"- from {kept.id} (a dataset made by merge)" in text
    assert "Those of the sources" in text


@pytest.mark.parametrize("starts", [None, {"kind": "attractor", "transient": 5.0}])
def test_rows_of_a_dataset_made_of_others_do_not_depend_on_its_seed(small_dataset, starts):
    kept = load_manifest(small_dataset)
    config = {**kept.config, **({"initial_states": starts} if starts else {})}
    law = "a row depends on the seed"
    assert law in data_card(kept.model_copy(update={"config": config}), {}, {})
    derived = {"operation": "select", "arguments": {}, "sources": [{"id": "abc"}]}
    text = data_card(kept.model_copy(update={"config": {**config, "derived": derived}}), {}, {})
    assert law not in text
    assert "made from other datasets, `abc`: cite" in text


@pytest.mark.parametrize("key", ["title", "license", "creator"])
def test_text_of_a_config_is_shown_as_it_is_and_means_nothing_to_markdown(
    experiment, tmp_path, key, small_dataset
):
    generate(experiment(dataset={key: EVIL}), tmp_path / "dataset", jobs=1)
    text = card_of(tmp_path / "dataset")
    before, after = (
        MarkdownIt("commonmark").enable("table").parse(card) for card in (card_of(small_dataset), text)
    )
    assert [token.type for token in after if token.level == 0] == [
        token.type for token in before if token.level == 0
    ]
    assert [[len(row) for row in table] for table in tables(text)] == [
        [len(row) for row in table] for table in tables(card_of(small_dataset))
    ]
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert "<script" not in html
    assert "<em>" not in html
    assert 'href="http://e"' not in html
    assert text.count("</details>") - 1 == text.count('"' + key + '"'), "only in the block of JSON"
    shown = "".join(
        part.content
        for token in after
        if token.type == "inline"
        for part in token.children
        if part.type == "text"
    )
    assert " ".join(EVIL.split()) in shown
    assert verify(tmp_path / "dataset") == []


def test_a_systems_texts_and_names_from_a_stranger_mean_nothing_either(small_dataset):
    kept = load_manifest(small_dataset)
    system = {
        "name": EVIL,
        "description": EVIL,
        "reference": EVIL,
        "equations": dict.fromkeys(kept.components, EVIL),
        "parameters": {EVIL: {"value": None, "unit": EVIL, "meaning": EVIL}, "plain": 3.0},
        "time_unit": EVIL,
    }
    text = body(data_card(kept.model_copy(update={"system": system}), {EVIL: EVIL}, {EVIL: EVIL}))
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert "<script" not in html
    assert "<em>" not in html
    assert "$$" not in text
    assert all(len({len(row) for row in table}) == 1 for table in tables(text))
    headings = [part for part in text.splitlines() if part.startswith("#")]
    assert headings == [part for part in card_of(small_dataset).splitlines() if part.startswith("#")]


def test_a_name_of_backticks_does_not_end_a_block(small_dataset):
    kept = load_manifest(small_dataset)
    system = {**kept.system, "equations": {"````": "1", "x2": "2"}}
    text = body(data_card(kept.model_copy(update={"system": system, "components": ["````", "x2"]}), {}, {}))
    assert blocks(text, "text") == ["````' = 1\nx2' = 2\n"]


@pytest.mark.parametrize("junk", [None, 3, "text", [1, 2], {"a": []}])
def test_junk_in_place_of_a_systems_parts_is_left_out_or_shown_as_text(small_dataset, junk):
    kept = load_manifest(small_dataset)
    for key in ("name", "equations", "parameters", "initial_state", "time_unit", "description", "reference"):
        manifest = kept.model_copy(update={"system": {**kept.system, key: junk}})
        assert body(data_card(manifest, {}, {})).startswith("# ")
    for section in ("grid", "dataset", "engine"):
        for key in kept.config[section]:
            config = {**kept.config, section: {**kept.config[section], key: junk}}
            assert body(data_card(kept.model_copy(update={"config": config}), {}, {})).startswith("# ")
    config = {**kept.config, "derived": {"operation": junk, "arguments": junk, "sources": junk}}
    assert body(data_card(kept.model_copy(update={"config": config}), {}, {})).startswith("# ")


def test_card_and_info_say_in_words_what_is_observed_and_what_else_is_stored(experiment, tmp_path):
    config = experiment(
        system={"name": "mass-spring", "parameters": {}},
        observation={"components": ["q"], "noise": {"absolute": {"q": 0.25}}, "clean": True},
        dataset={"train": 3, "diagnostics": ["lyapunov_exponent", "energy_drift"]},
    )
    generate(config, tmp_path / "dataset", jobs=1)
    said = (
        "1 of 2 states; normal noise of standard deviation q 0.25; "
        "also stored: clean_state, lyapunov_exponent, energy_drift"
    )
    assert Description(load_manifest(tmp_path / "dataset")).observed == said
    (shown,) = [
        row for table in tables(card_of(tmp_path / "dataset")) for row in table if row[0] == "observed"
    ]
    assert shown[1] == said
    done = CliRunner().invoke(main, ["info", str(tmp_path / "dataset")])
    assert said in " ".join(done.output.split())


def test_the_order_of_components_is_that_of_the_states_not_of_the_alphabet(experiment, tmp_path):
    system = {
        "name": "spring",
        "equations": {"z": "a", "a": "-z"},
        "initial_state": {"a": [0.0, 1.0], "z": [2.0, 3.0]},
    }
    generate(experiment(system=system), tmp_path / "dataset", jobs=1)
    assert blocks(card_of(tmp_path / "dataset"), "text") == ["z' = a\na' = -z\n"]
    assert re.search(r"\| `z` \| 2 \| 3 \|\n\| `a` \| 0 \| 1 \|", card_of(tmp_path / "dataset"))


def test_lines_are_short_and_printable():
    assert line("\x1b[31mred\x07\u202e\ud800\n\tx") == "[31mred x"
    assert len(line("x" * 10_000_000)) == LONGEST
    assert line(None) == ""


def test_units_and_meanings_are_shown(small_dataset):
    kept = load_manifest(small_dataset)
    parameters = {"k": {"value": 0.1 + 0.2, "unit": "N/m", "meaning": "stiffness"}}
    system = {**kept.system, "parameters": parameters, "time_unit": "s"}
    manifest = kept.model_copy(update={"system": system})
    assert "| `k` | 0.30000000000000004 | N/m | stiffness |" in data_card(manifest, {}, {})
    assert Description(manifest).grid == "21 points, t = 0 to 2 s, a step of 0.1 s"


def test_a_grid_that_is_no_linspace_points_to_the_variable(make_shard, write_dataset, tmp_path):
    shard = make_shard(5)
    config = {
        "system": {"name": "noise"},
        "grid": {"duration": 2.0, "points": 21, "resample": "none", "initial_time": 0.0, "times_sha256": "0"},
        "dataset": {"seed": 0, "dtype": "float32"},
        "engine": {"name": "none"},
    }
    attributes = {**shard.attributes, "config": canonical_json(config), "config_hash": json_hash(config)}
    folder = measured(make_shard, write_dataset, tmp_path / "measured", attributes=attributes)
    assert "21 points over 2, as the variable time gives them" in card_of(folder)
