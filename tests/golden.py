"""What never changes: ids of datasets, bytes of shards, identities of runs. `python tests/golden.py` writes them.

Only for another family of processors, or other versions of heyoka, SciPy or NumPy, whose last digits differ: what
such a change does not explain is a mistake.
"""

import json
import platform
import sys
import tempfile
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

from trajstore.data import TrajectoryDataset, load_manifest
from trajstore.pipeline import check_config, generate
from trajstore.pipeline.describe import attributes
from trajstore.pipeline.runs.folder import RunConfig

FILE = Path(__file__).with_name("golden.json")
# Of processors, what decides which instructions NumPy, the C library and heyoka use.
INSTRUCTIONS = ("avx", "avx2", "fma", "avx512f", "avx512vl", "asimd")
OWN = {
    "name": "own",
    "equations": {"x": "v", "v": "-k*x - c*abs(v)*v"},
    "parameters": {"k": 1.5, "c": {"uniform": [0.1, 0.3]}},
    "initial_state": {"x": [-1.0, 1.0], "v": [-1.0, 1.0]},
}


def _config(
    system: dict[str, Any] | str, points: int = 11, duration: float = 1.0, **sections: Any
) -> dict[str, Any]:
    return {
        "system": {"name": system} if isinstance(system, str) else system,
        "grid": {"duration": duration, "points": points, **sections.pop("grid", {})},
        "dataset": {"train": 13, "validation": 3, "test": 2, "shard_rows": 5, **sections.pop("dataset", {})},
        **sections,
    }


DATASETS: dict[str, dict[str, Any]] = {
    "heyoka": _config("van-der-pol", 21, 2.0),
    "heyoka, kinks and drawn parameters": _config(OWN),
    "heyoka, float64, packed, large seed": _config(
        "lorenz", dataset={"dtype": "float64", "compression": "gzip", "seed": 2**40 + 7}
    ),
    "heyoka, diagnostics": _config(
        "double-pendulum", dataset={"diagnostics": ["energy_drift", "lyapunov_exponent"]}
    ),
    "SciPy": _config("van-der-pol", 21, 2.0, engine={"name": "scipy"}),
    "SciPy, RK45, linear": _config(
        "roessler", engine={"name": "scipy", "method": "RK45", "tolerance": 1e-6}, grid={"resample": "linear"}
    ),
    "SciPy, stiff": _config("brusselator", engine={"name": "scipy", "method": "Radau"}),
    "delay": _config("mackey-glass", 11, 20.0),
    "field": _config("kuramoto-sivashinsky", 5, 2.0),
    "observed with noise": _config(
        "lorenz",
        observation={"components": ["x", "z"], "noise": {"relative": 0.1}, "clean": True},
        initial_states={"kind": "attractor", "transient": 3.0},
    ),
    "held out": _config(
        {
            "name": "van-der-pol",
            "parameters": {"mu": {"log_uniform": [0.1, 4.0]}},
            "parameters_by_split": {"test": {"mu": {"values": [0.5, 2.0]}}},
        }
    ),
}
LEARNING: dict[str, dict[str, Any]] = {
    "defaults": {},
    "forecast": {
        "task": {"name": "forecast", "window": 8, "normalize": True},
        "model": {"name": "gru", "layers": 2},
    },
    "refined": {"model": {"hidden": 8, "encoder": [4, 4]}, "refinement": {"steps": 3}},
    "blocks": {"training": {"shuffle": "block", "clip": 1.0, "patience": 3, "seed": 2**33}},
    "minutes": {"training": {"minutes": 2.0, "schedule": "constant", "optimizer": "adamw"}},
}
# Of datasets that have what they need.
OTHERS = {"held out": {"task": {"parameters": ["mu"]}}, "observed with noise": {"task": {"target": "clean"}}}


def made_with() -> dict[str, Any]:
    """What the last digits depend on."""
    known = Path("/proc/cpuinfo")
    flags = set(known.read_text().split()) if known.exists() else set()
    return {
        "machine": platform.machine(),
        "instructions": [name for name in INSTRUCTIONS if name in flags],
        **{name: version(name) for name in ("heyoka", "numpy", "scipy", "h5py")},
    }


def golden(folder: Path) -> dict[str, Any]:
    """Ids and hashes of DATASETS, made in this folder, and the identities of runs on them."""
    datasets, identities = {}, {}
    for name, raw in DATASETS.items():
        path = folder / sha256(name.encode()).hexdigest()[:8]
        with patch.object(attributes, "software", dict):
            generate(check_config(raw, name), path, jobs=1)
        manifest = load_manifest(path)
        records = [record for split in manifest.splits.values() for record in split.shards]
        datasets[name] = {
            "id": manifest.id,
            "content": {record.file: record.content_hash for record in records},
            "bytes": {
                record.file: sha256((path / record.file).read_bytes()).hexdigest() for record in records
            },
        }
        runs = LEARNING if name == "heyoka" else {name: OTHERS[name]} if name in OTHERS else {}
        for run, sections in runs.items():
            config = check_config({**raw, **sections}, run)
            task = config.task
            options: dict[str, Any] = {"window": task.window, "normalize": task.normalize}
            dataset = TrajectoryDataset(
                path, "train", task.name, parameters=task.parameters, target=task.target, **options
            )
            identities[run] = RunConfig.of(config, dataset, path, folder).identity
    return {"made_with": made_with(), "datasets": datasets, "identities": identities}


def written() -> list[dict[str, Any]]:
    """What was written down, with each kind of processor and versions."""
    return json.loads(FILE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        here = golden(Path(place))
    others = [known for known in written() if known["made_with"] != here["made_with"]]
    FILE.write_text(json.dumps([*others, here], indent=1) + "\n", encoding="utf-8")
    print(f"{FILE.name} written", file=sys.stderr)
