"""What came of a training, or of one that has not ended yet."""

import json
from pathlib import Path
from typing import Any

from .files import RunError, load_checkpoint
from .folder import BEST, LAST, TRAINING
from .standing import Standing


def load_summary(run: Path) -> dict[str, Any]:
    """What `training.json` holds, or of a training that has not ended would hold now; `stopped_by` is then None.

    Raises RunError if it cannot be read.
    """
    try:
        return json.loads((run / TRAINING).read_text(encoding="utf-8"))
    except FileNotFoundError:
        pass
    except ValueError as error:
        raise RunError(f"{run / TRAINING}: cannot be read ({error}); train again") from None
    file = run / (LAST if (run / LAST).is_file() else BEST)
    saved = load_checkpoint(file)
    try:
        now = Standing(**saved["standing"]) if "standing" in saved else Standing(step=saved["step"])
        return {**now.summary(), "stopped_by": None}
    except (KeyError, TypeError):
        raise RunError(f"{file}: is no checkpoint of a run; train again") from None
