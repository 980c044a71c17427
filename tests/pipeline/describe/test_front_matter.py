"""The YAML before a card: another program reads from it what the files hold, whatever text a config has."""

import h5py
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from trajstore.data import load_manifest
from trajstore.pipeline import generate
from trajstore.pipeline.describe.card import data_card
from trajstore.pipeline.describe.description import Description
from trajstore.pipeline.describe.front_matter import front_matter, size_category
from trajstore.pipeline.describe.phrases import line

# What YAML would take for something else, or for its own.
HOSTILE = (
    *("no", "~", "1e3", "0o17", "2026-01-01", "- a", "a: b", "a #b", "---", "...", "\n---\n# Not a card"),
    *("&a *a", "!!python/x", '"', "'", "\\", "%", "@", "`", "{a: b}", "[x]", "|", ">", "<<", "=", "?"),
    *("mit\nconfigs: []", "\x85\u2028", "\ud800", "😀", "\ufeff"),
)


def read(text: str) -> dict:
    """What a parser of YAML makes of the block; nothing else is in it."""
    assert text.startswith("---\n# Written by trajstore.")
    block, end, rest = text.partition("\n---\n")
    assert (end, rest) == ("\n---\n", "")
    return yaml.safe_load(block)


@pytest.fixture(scope="module")
def manifest(small_dataset):
    return load_manifest(small_dataset)


def with_texts(manifest, title="", license_text="", name="vdp"):
    dataset = {**manifest.config["dataset"], "title": title, "license": license_text}
    changes = {"config": {**manifest.config, "dataset": dataset}, "system": {**manifest.system, "name": name}}
    return Description(manifest.model_copy(update=changes))


@pytest.mark.parametrize("evil", HOSTILE)
@pytest.mark.parametrize("variables", [{}, {"state": ("float32", (21, 2))}])
def test_hostile_text_stays_text(manifest, evil, variables):
    value = read(front_matter(with_texts(manifest, evil, evil, evil), variables))
    assert value["pretty_name"] == (
        line(evil) or f"Trajectories of {line(evil) or 'a system without a name'}"
    )
    assert value["license"] == ("other" if line(evil) else "unknown")
    assert value.get("license_name", "") == line(evil)
    assert value["tags"][-1] == (line(evil) or "a system without a name")
    assert ("configs" in value) == bool(variables)


@pytest.mark.slow
@given(st.text(), st.text(), st.text())
def test_any_text_stays_text(manifest, title, license_text, name):
    value = read(front_matter(with_texts(manifest, title, license_text, name), {name: ("int8", ())}))
    assert value["pretty_name"] == line(title) or not line(title)
    assert value.get("license_name", line(license_text)) == line(license_text)
    assert value["tags"][-1] == line(name) or not line(name)
    assert [feature["name"] for feature in value["dataset_info"]["features"]] == [name]


@pytest.mark.parametrize(
    ("given_text", "told"),
    [
        ("CC-BY-4.0", {"license": "cc-by-4.0"}),
        ("CC0-1.0", {"license": "cc0-1.0"}),
        ("MIT", {"license": "mit"}),
        ("ODbL-1.0", {"license": "odbl"}),
        ("GPL-3.0-only", {"license": "gpl-3.0"}),
        ("GPL-3.0-or-later", {"license": "other", "license_name": "GPL-3.0-or-later"}),
        ("ask me", {"license": "other", "license_name": "ask me"}),
        ("unspecified", {"license": "unknown"}),
        ("", {"license": "unknown"}),
    ],
)
def test_a_licence_is_the_hubs_word_or_a_name_of_its_own(manifest, given_text, told):
    value = read(front_matter(with_texts(manifest, license_text=given_text), {}))
    assert {key: value[key] for key in ("license", "license_name") if key in value} == told


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (99_999, "10K<n<100K"),
        (10**6, "1M<n<10M"),
        (10**12, "n>1T"),
    ],
)
def test_the_number_of_rows_has_the_hubs_category(rows, said):
    assert size_category(rows) == said


@pytest.mark.slow
def test_the_features_are_the_variables_of_the_rows_in_the_files(experiment, tmp_path):
    config = experiment(
        system={"name": "mass-spring", "parameters": {}},
        observation={"components": ["q"], "noise": {"absolute": 0.25}, "clean": True, "derivative": True},
        dataset={"train": 3, "validation": 0, "test": 2, "dtype": "float64", "diagnostics": ["energy_drift"]},
    )
    generate(config, tmp_path / "dataset", jobs=1)
    card = (tmp_path / "dataset/README.md").read_text(encoding="utf-8")
    value = yaml.safe_load(card.partition("\n---\n")[0])
    splits = [entry["split"] for entry in value["configs"][0]["data_files"]]
    assert splits == ["train", "test"]
    with h5py.File(tmp_path / "dataset/train-00000.h5") as file:
        rows = {name: item for name, item in file.items() if item.shape[0] == 3}
        assert {feature["name"] for feature in value["dataset_info"]["features"]} == set(rows)
        for feature in value["dataset_info"]["features"]:
            item = rows[feature["name"]]
            kind = feature.get("dtype", feature.get("list"))
            if item.ndim == 3:
                (kind,) = kind.values()
                assert kind["shape"] == list(item.shape[1:])
                kind = kind["dtype"]
            elif item.ndim == 2:
                assert feature["length"] == item.shape[1]
            assert np.dtype(kind) == item.dtype


def test_without_shards_there_is_nothing_to_load(manifest):
    value = yaml.safe_load(data_card(manifest, {}, {}).partition("\n---\n")[0])
    assert not {"configs", "dataset_info"} & set(value)
