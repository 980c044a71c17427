"""What each shard says of the dataset that it belongs to, in its attributes."""

from collections.abc import Mapping
from typing import Any

from ...data.base.hashing import canonical_json, json_hash
from ..runtime.software import software


def shared_attributes(config: Mapping[str, Any], engine: Mapping[str, Any]) -> dict[str, str | int]:
    """Those that all shards have alike.

    config  as in a manifest, without the sizes of the splits
    engine  what the shards say of their integrator
    """
    dataset = config["dataset"]
    return {
        **{key: dataset[key] for key in ("title", "license", "creator", "seed")},
        "system_name": config["system"]["name"],
        "system": canonical_json(config["system"]),
        "engine": canonical_json(engine),
        "resampling": config["grid"]["resample"],
        "config": canonical_json(config),
        "config_hash": json_hash(config),
        "software": canonical_json(software()),
    }
