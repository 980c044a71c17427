"""What stands before the card for programs: YAML, by which the Hugging Face Hub and `datasets` know a folder.

Its keys are those of the Hub's dataset cards: https://huggingface.co/docs/hub/datasets-cards.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from ...data.folder.names import CHECKSUMS
from ...data.folder.stated_grid import GRIDS
from ...data.shard.schema import SHARD_SUFFIX
from .description import UNSPECIFIED, Description

# How every card begins; the second line is a comment to YAML.
MARKER = "---\n# Written by trajstore."
# What the Hub calls licences that people give to data and code: SPDX identifiers in small letters, but for `RENAMED`.
LICENSE_WORDS = (
    "afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc0-1.0 "
    "cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 "
    "cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 "
    "cdla-permissive-1.0 cdla-permissive-2.0 ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 gpl-2.0 gpl-3.0 "
    "isc lgpl-2.1 lgpl-3.0 mit mpl-2.0 ms-pl ncsa ofl-1.1 osl-3.0 postgresql unlicense wtfpl zlib"
)
LICENSES = frozenset(LICENSE_WORDS.split())
RENAMED = {
    "odc-by-1.0": "odc-by",
    "odbl-1.0": "odbl",
    "pddl-1.0": "pddl",
    "agpl-3.0-only": "agpl-3.0",
    "gpl-2.0-only": "gpl-2.0",
    "gpl-3.0-only": "gpl-3.0",
    "lgpl-2.1-only": "lgpl-2.1",
    "lgpl-3.0-only": "lgpl-3.0",
}
TAGS = ("dynamical-systems", "trajectories", "time-series", "trajstore")
POWERS = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")

RowVariables = Mapping[str, tuple[str, tuple[int, ...]]]


class _Words(str):
    """Text of a config: always between quotation marks, so that nothing in it is a number, a date or YAML."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Keeps keys in their order and texts on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(
    _Words, lambda dumper, words: dumper.represent_scalar("tag:yaml.org,2002:str", str(words), style='"')
)


def front_matter(description: Description, variables: RowVariables) -> str:
    """The block of YAML, `---` to `---`, each a line; the same dataset gives the same text.

    variables  as `row_variables` finds them in a shard; empty where there is none
    """
    manifest = description.manifest
    value: dict[str, Any] = {
        **_license(description.license),
        "pretty_name": _Words(description.title),
        "size_categories": [size_category(description.trajectories)],
        "task_categories": ["time-series-forecasting"],
        "tags": [*TAGS, _Words(description.name)],
    }
    files = [
        {"split": name, "path": f"{name}-*{SHARD_SUFFIX}"}
        for name, split in manifest.splits.items()
        if split.shards
    ]
    if files and variables:
        value["configs"] = [{"config_name": "default", "data_files": files}]
        value["dataset_info"] = {"features": list(_features(variables, GRIDS in manifest.config["grid"]))}
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"))
    said = f"{MARKER} {CHECKSUMS} lists this file: who edits it makes `sha256sum -c {CHECKSUMS}` fail."
    return f"{said}\n{text}---\n"


def size_category(rows: int) -> str:
    """The Hub's word for a number of rows, "1K<n<10K"; a power of ten itself is counted to those above it."""
    below = [power for exponent, power in enumerate(POWERS, 3) if rows >= 10**exponent]
    if not below:
        return f"n<{POWERS[0]}"
    above = POWERS[len(below) :]
    return f"{below[-1]}<n<{above[0]}" if above else f"n>{below[-1]}"


def _license(text: str) -> dict[str, str]:
    """One that the Hub knows, by its name there; any other text under a name of its own."""
    if text == UNSPECIFIED:
        return {"license": "unknown"}
    known = RENAMED.get(text.lower(), text.lower())
    if known in LICENSES or text.lower() in RENAMED:
        return {"license": known}
    return {"license": "other", "license_name": _Words(text)}


def _features(variables: RowVariables, lengths_differ: bool) -> Iterator[dict[str, Any]]:
    """A column each, as `datasets.Features` writes itself; times are counted in the first dimension of a row's array.

    lengths_differ  from split to split, so that no number is given for them
    """
    for name, (dtype, shape) in variables.items():
        named = {"name": _Words(name)}
        if not shape:
            yield {**named, "dtype": dtype}
        elif len(shape) == 1:
            yield {**named, "list": dtype, "length": shape[0]}
        else:
            sizes = [None if lengths_differ else shape[0], *shape[1:]]
            yield {**named, "dtype": {"array2_d": {"shape": sizes, "dtype": dtype}}}
