"""What the documents say is what the code does."""

from pathlib import Path

from trajstore.data.format import markdown

ROOT = Path(__file__).parent.parent


def test_the_tables_of_the_format_are_those_of_the_schema() -> None:
    assert markdown() in (ROOT / "docs/format.md").read_text(encoding="utf-8")
