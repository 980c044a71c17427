"""The page of config keys is what the classes say."""

import config_reference
import pytest
from trajstore.data.base.section import Section
from trajstore.pipeline.config.reference import markdown


def test_the_page_is_what_the_classes_say():
    assert config_reference.PATH.read_text(encoding="utf-8") == config_reference.document(), (
        "run python tests/config_reference.py"
    )


def test_a_key_that_nobody_explains_is_refused():
    class Silent(Section):
        """Says nothing."""

        key: int = 0

    with pytest.raises(ValueError, match="Silent: its docstring does not say what key means"):
        markdown({"silent": Silent})


def test_keys_meanings_and_defaults_stand_in_a_table():
    class Told(Section):
        """What it is.

        Attributes:
            one, two: The same of both,
                in two lines.
            name: A | in it.
        """

        one: int
        two: float | None = None
        name: str = "x"

    assert markdown({"told": Told}).splitlines() == [
        "## `told`",
        "",
        "What it is.",
        "",
        "| key | default | meaning |",
        "|---|---|---|",
        "| `one` | needed | The same of both, in two lines. |",
        "| `two` | - | The same of both, in two lines. |",
        '| `name` | `"x"` | A \\| in it. |',
    ]
