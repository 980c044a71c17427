"""A hook of MkDocs: the systems' pages stand under the gallery, without a line of mkdocs.yml each."""

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """The config with the gallery's pages in its navigation."""
    pages = sorted((Path(config.docs_dir) / "gallery").glob("*.md"))
    (gallery,) = (item["Gallery"] for item in config.nav if "Gallery" in item)
    gallery += [{page.stem: f"gallery/{page.name}"} for page in pages if page.stem != "index"]
    return config
