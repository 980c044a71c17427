"""Where two configs differ is told by their keys."""

from trajstore.pipeline.config.differences import differing, in_words


def test_only_keys_that_differ_are_told_with_both_values():
    here = {"system": {"name": "a", "parameters": {"mu": 1.0}}, "grid": {"points": 5, "step": None}}
    there = {
        "system": {"name": "a", "parameters": {"mu": 2.0, "nu": 3}},
        "grid": {"points": 5},
        "observation": {},
    }
    assert in_words(differing(here, here)) == ""
    assert in_words(differing(there, here)) == (
        "system.parameters.mu is 2.0 there, 1.0 here; system.parameters.nu is 3 there, not given here"
    )


def test_long_values_and_many_keys_are_cut():
    here = {"equations": {f"x{number}": "-x" * 1000 for number in range(20)}}
    told = in_words(differing({}, here))
    assert len(told) < 1000
    assert told.endswith("; and 14 more keys")
