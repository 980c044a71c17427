"""Every file names the program that made it, and its address where it has one."""

import json
from email.message import Message

import h5py
import pytest
from trajstore.data import load_manifest
from trajstore.pipeline.describe.card import data_card
from trajstore.pipeline.runtime import software as told


@pytest.fixture
def project(monkeypatch):
    """The metadata of trajstore, of which a test may say what [project.urls] has."""
    stated = Message()
    monkeypatch.setattr(told, "metadata", lambda name: stated)
    told.software.cache_clear()
    yield stated
    told.software.cache_clear()


def test_a_lone_shard_names_trajstore(small_dataset):
    with h5py.File(small_dataset / "test-00000.h5") as file:
        assert json.loads(file.attrs["software"])["trajstore"] == told.version("trajstore")


def test_no_address_is_made_up(project):
    assert "address" not in told.software()


def test_an_address_is_told_where_there_is_one(project, small_dataset):
    project["Project-URL"] = "Homepage, https://example.org/trajstore"
    project["Project-URL"] = "Issues, https://example.org/issues"
    software = told.software()
    assert software["address"] == "https://example.org/trajstore"
    assert "trajstore, https://example.org/trajstore: as" in data_card(
        load_manifest(small_dataset), {}, software
    )
