"""Ids, bytes and identities are those that were written down; see golden.py."""

import golden
import pytest


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return golden.golden(tmp_path_factory.mktemp("golden"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["datasets", "identities"])
def test_what_was_made_before_is_made_again(found, kind):
    known = [each for each in golden.written() if each["made_with"] == golden.made_with()]
    if not known:
        pytest.skip("written down with other processors or versions: `python tests/golden.py` adds this one")
    assert found[kind] == known[0][kind]
