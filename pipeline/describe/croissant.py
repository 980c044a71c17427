"""croissant.json: the dataset for programs, as MLCommons Croissant 1.1 (https://docs.mlcommons.org/croissant/).

Each shard is a FileObject with its SHA-256, so the file grows with the manifest, by about 300 bytes a shard. Where
the manifest has parts, these are FileObjects instead. The shards of a split are one FileSet, and a RecordSet has the
variables of its rows, each with its type and the shape that it has in a row.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from ...data.base.hashing import text_hash
from ...data.folder.manifest import Manifest, SplitRecord
from ...data.folder.names import MANIFEST
from ...data.shard.schema import KNOWN_VARIABLES, SHARD_SUFFIX, variables_with
from .card import citation
from .description import IDENTITY_SHOWN, Description

VERSION = "http://mlcommons.org/croissant/1.1"
# Only trajstore writes this near the beginning of a croissant.json.
MARKER = '"identifier": "trajstore:'
HDF5 = "application/x-hdf5"
# An SPDX identifier of one licence; expressions have spaces, and their own `LicenseRef-` names no address.
ONE_LICENSE = re.compile(r"(?!LicenseRef-)[A-Za-z0-9.-]+")
CROISSANT_WORDS = (
    "arrayShape citeAs column equivalentProperty extract field fileObject fileProperty fileSet format includes "
    "isArray isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace "
    "samplingRate separator source subField transform"
)
# The vocabulary's words for the types of variables that have a value a row.
TYPES = {
    **{f"float{bits}": f"cr:Float{bits}" for bits in (32, 64)},
    **{f"int{bits}": f"cr:Int{bits}" for bits in (8, 32, 64)},
}
# What each word means, as the specification sets it down; readers expect the whole of it.
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{word: f"cr:{word}" for word in CROISSANT_WORDS.split()},
}


def croissant(
    manifest: Manifest, software: Mapping[str, Any], variables: Mapping[str, tuple[str, tuple[int, ...]]]
) -> str:
    """The text of croissant.json; the same dataset gives the same text.

    software   package versions, as the dataset's shards name them
    variables  of each variable that has a value a row, the dtype and the shape of such a value
    """
    description = Description(manifest)
    manifest_text = manifest.to_json()
    files = [
        _file(
            MANIFEST,
            len(manifest_text.encode()),
            text_hash(manifest_text),
            "application/json",
            "Files, hashes, statistics.",
        )
    ]
    for entry in manifest.all_parts:
        what = f"Files, hashes, statistics of {entry.shards} shards."
        files.append(_file(entry.file, entry.bytes, entry.sha256, "application/json", what))
    for name, split in manifest.splits.items():
        if split.shards:
            files.append(_file_set(name, split))
        for shard in () if manifest.in_parts else split.shards:
            rows = f"Rows {shard.first_row} to {shard.first_row + shard.rows - 1} of {name}."
            files.append(_file(shard.file, shard.bytes, shard.sha256, HDF5, rows))
    dated = {"datePublished": description.date} if description.date else {}
    value = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "identifier": f"trajstore:{manifest.id}",
        "conformsTo": VERSION,
        "name": description.title,
        "description": _summary(description),
        "license": license_url(description.license),
        "creator": {"@type": "Person", "name": description.creator},
        "citeAs": citation(description, software),
        "version": f"1.0.0+{manifest.id[:IDENTITY_SHOWN]}",
        **dated,
        "keywords": ["dynamical systems", "trajectories", "time series", description.name],
        "distribution": files,
        "recordSet": [
            _record_set(name, variables) for name, split in manifest.splits.items() if split.shards
        ],
    }
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def license_url(license_text: str) -> str:
    """The address of a licence that is given by its SPDX identifier; any other text as it is."""
    try:
        known = ONE_LICENSE.fullmatch(license_text) and canonicalize_license_expression(license_text)
    except InvalidLicenseExpression:
        known = None
    return f"https://spdx.org/licenses/{license_text}.html" if known == license_text else license_text


def _summary(description: Description) -> str:
    what = "Trajectories of" if description.equations is not None else "Measured trajectories of"
    components = len(description.states)
    sizes = ", ".join(f"{split.trajectories:,} {name}" for name, split in description.manifest.splits.items())
    text = f"{what} {description.name}: {sizes}; {components} components, {description.grid}."
    return f"{text} {description.about}".rstrip()


def _file_set(name: str, split: SplitRecord) -> dict[str, str]:
    return {
        "@type": "cr:FileSet",
        "@id": name,
        "name": name,
        "description": f"The {len(split.shards)} shards of {name}, listed with their hashes in the manifest.",
        "encodingFormat": HDF5,
        "includes": f"{name}-*{SHARD_SUFFIX}",
    }


def _file(name: str, size: int, sha256: str, encoding: str, what: str) -> dict[str, str]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "description": what,
        "contentUrl": name,
        "contentSize": f"{size} B",
        "encodingFormat": encoding,
        "sha256": sha256,
    }


def _record_set(split: str, variables: Mapping[str, tuple[str, tuple[int, ...]]]) -> dict[str, Any]:
    """The rows of a split, which its number in the whole dataset tells apart."""
    rows, schema = f"{split}-rows", variables_with(variables, variables.keys() - KNOWN_VARIABLES.keys())
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{rows}/{name}",
            "name": name,
            "description": schema[name].meaning,
            "dataType": TYPES[dtype],
            **({"isArray": True, "arrayShape": ",".join(map(str, shape))} if shape else {}),
            "source": {"fileSet": {"@id": split}, "extract": {"column": name}},
        }
        for name, (dtype, shape) in variables.items()
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": rows,
        "name": rows,
        "description": f"The trajectories of {split}, a row each; the columns are variables of the HDF5 files.",
        "key": {"@id": f"{rows}/trajectory"},
        "field": fields,
    }
