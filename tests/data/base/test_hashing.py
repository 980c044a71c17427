"""The hashes are those that the format documents: anyone can compute them without trajstore."""

import hashlib
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trajstore.data.base.hashing import canonical_json, content_hash, file_hash, json_hash


def test_the_file_hash_is_that_of_sha256sum(tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(np.random.default_rng(0).bytes(3_000_001))
    printed = subprocess.run(["sha256sum", str(path)], capture_output=True, text=True, check=True).stdout
    assert printed.split()[0] == file_hash(path)


def test_the_content_hash_follows_its_description():
    text = (
        b"component\0string\x002\0x1\0x2\0"
        b"state\0<f8\x002,1\0" + np.array([1.0, 2.0], dtype="<f8").tobytes() + b"status\0|i1\x002\0\x00\x01"
    )
    variables = {
        "status": np.array([0, 1], dtype=np.int8),
        "state": np.array([[1.0], [2.0]]),
        "component": ("x1", "x2"),
    }
    assert content_hash(variables) == hashlib.sha256(text).hexdigest()


BASE = {"state": np.arange(6.0).reshape(3, 2), "component": ("a", "b")}


@pytest.mark.parametrize(
    "other",
    [
        {**BASE, "state": np.arange(6.0).reshape(2, 3)},
        {**BASE, "state": np.arange(6.0).astype(np.float32).reshape(3, 2)},
        {**BASE, "state": np.nextafter(BASE["state"], 9)},
        {**BASE, "component": ("ab", "")},
        {**BASE, "component": ("b", "a")},
        {"State": BASE["state"], "component": ("a", "b")},
        {"state": BASE["state"]},
    ],
    ids=["shape", "dtype", "last bit", "cut of strings", "order of strings", "name", "missing"],
)
def test_any_difference_in_content_changes_the_content_hash(other):
    assert content_hash(other) != content_hash(BASE)


def test_byte_order_and_memory_layout_do_not_count():
    swapped = {**BASE, "state": BASE["state"].astype(">f8")}
    strided = {**BASE, "state": np.asfortranarray(BASE["state"])}
    assert content_hash(swapped) == content_hash(strided) == content_hash(BASE)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("aé\n"),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text("abc"), children, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@given(value=st.dictionaries(st.text("abcde"), JSON, max_size=4))
def test_the_order_of_keys_does_not_change_the_hash_of_a_config(value):
    assert json_hash(dict(reversed(value.items()))) == json_hash(value)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_json_does_not_know_are_refused(number):
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"x": number})
