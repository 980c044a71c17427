"""Progress bars: on one line, however narrow the terminal is, with what matters most."""

import io

import pytest
from rich.console import Console
from rich.progress import DownloadColumn, TransferSpeedColumn
from trajstore.pipeline.runtime.bars import SHORTEST, Bars, FieldColumn

# As the commands make them: what is told, what is shown beside it, and how much there is of the largest of ours.
MADE = {
    "generate": (("rows",), {}, 1_000_000),
    "train": (("steps", FieldColumn("loss")), {}, 100_000),
    "train and judge": (("runs",), {"speed": False}, 4000),
    "verify": (("shards",), {}, 10_000),
    "fetch": ((DownloadColumn(),), {"speed": TransferSpeedColumn()}, 300_000_000_000),
}


class Clock:
    """Hours go by between two looks."""

    now = 0.0

    def __call__(self):
        return self.now


def lines_of(name, width, begun):
    unit, options, total = MADE[name]
    clock, console = Clock(), Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    bar = Bars(*unit, **options, console=console, get_time=clock, auto_refresh=False)
    task = bar.add_task(name, total=total, loss=1.234567e-05)
    for part, after in ((0.2, 40_000.0), (0.4, 7.0), (0.9, 7.0)) if begun else ():
        clock.now += after
        bar.update(task, completed=int(part * total))
    with console.capture() as said:
        console.print(bar.get_renderable())
    return said.get().rstrip("\n").split("\n")


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("name", MADE)
def test_a_bar_is_one_line(name, width, begun):
    lines = lines_of(name, width, begun)
    assert len(lines) == 1
    assert len(lines[0]) <= width
    if width >= 60:
        assert lines[0].startswith(name)
        assert "left " in lines[0]
        assert "…" not in lines[0]
        assert ("loss 1.23e-05" in lines[0]) == (name == "train")
    if width >= 80 and begun:
        assert lines[0].count("━") >= SHORTEST // 2
    if width == 200:
        assert "after " in lines[0]
        assert ("/s" in lines[0]) == (begun and name != "train and judge")
