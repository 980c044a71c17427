"""Where two configs differ is told by their keys."""

from trajstore.pipeline.differences import differences


def test_only_keys_that_differ_are_told_with_both_values():
    ours = {"system": {"name": "a", "parameters": {"mu": 1.0}}, "grid": {"points": 5, "step": None}}
    theirs = {
        "system": {"name": "a", "parameters": {"mu": 2.0, "nu": 3}},
        "grid": {"points": 5},
        "observation": {},
    }
    assert differences(ours, ours) == ""
    assert differences(ours, theirs) == (
        "system.parameters.mu is 1.0 here, 2.0 there; system.parameters.nu is not said here, 3 there"
    )


def test_long_values_and_many_keys_are_cut():
    ours = {"equations": {f"x{number}": "-x" * 1000 for number in range(20)}}
    told = differences(ours, {})
    assert len(told) < 1000
    assert told.endswith("; and 14 more")
