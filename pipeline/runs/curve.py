"""The learning curve of a run: a line of JSON for each evaluation of the validation split."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...data.base.files import write_text

CURVE = "metrics.jsonl"


def read_curve(run: str | Path) -> Iterator[dict[str, Any]]:
    """The learning curve of a run: the lines of its `metrics.jsonl`, in order.

    Args:
        run: The folder of the run. Without the file there are no lines; a last one that a crash cut off is left
            out.
    """
    try:
        lines = (Path(run) / CURVE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            return


def cut_curve(run: Path, step: int) -> None:
    """Drop the lines behind the checkpoint that a run goes on from; they come again."""
    kept = [json.dumps(line) + "\n" for line in read_curve(run) if line["step"] <= step]
    write_text(run / CURVE, "".join(kept))
