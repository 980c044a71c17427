"""Ids, bytes and identities are those that were written down; see golden.py."""

import json

import golden
import pytest


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return golden.golden(tmp_path_factory.mktemp("golden"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["datasets", "identities"])
def test_what_was_made_before_is_made_again(found, kind):
    known = json.loads(golden.FILE.read_text())
    if known["made_with"] != golden.made_with():
        pytest.skip("written down with another processor or other versions: `python tests/golden.py`")
    assert found[kind] == known[kind]
