"""What is given in the place of a run, and is another thing."""

from pathlib import Path

RUN = "the folder of a run"


def mistaken(path: Path, expected: str = RUN, *, shards: bool = False) -> str | None:
    """What a file is that is no run, a config or a shard, and what was expected; None of all else.

    shards  are these taken?
    """
    if not path.is_file():
        return None
    if path.suffix == ".toml":
        makes = f"`trajstore train {path} --data DIR --out RUN` makes a run"
        return f"{path}: is a config; expected {expected}. {makes}"
    if path.suffix == ".h5" and not shards:
        makes = "`trajstore train CONFIG --data DIR --out RUN` makes one"
        return f"{path}: is a shard of a dataset; expected {expected}. {makes}"
    return None
