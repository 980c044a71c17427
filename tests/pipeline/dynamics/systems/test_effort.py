"""Equations that would keep SymPy at work for hours are refused soon, with their name; large honest ones are not."""

import json
import os
import random
import subprocess
import sys
from dataclasses import replace

import pytest
from trajstore.data import TrajstoreError, read_shard
from trajstore.data.base.hashing import canonical_json
from trajstore.pipeline import EngineSettings, System, get_system, make_engine
from trajstore.pipeline.dynamics.systems.compiling import compiled
from trajstore.pipeline.dynamics.systems.effort import Effort, TooMuchAlgebraError, bounded
from trajstore.pipeline.dynamics.systems.hamiltonian import from_hamiltonian

pytestmark = pytest.mark.slow

# Of the processor's, beside what it takes to start; and of memory.
SECONDS, MEBIBYTES = 15, 1024


def nested(function, count=28):
    return f"{function}(x + 1/(" * count + "y" + "))" * count


NASTY = {
    "fractions within abs": f"abs({nested('')})",
    "products of sums": "abs(" + "*".join(f"(x**{n} + y*{n} + {n})" for n in range(1, 40)) + ")",
    "endless coefficients": "sign(x**64 - y**64) + sign(x**60*y**60 - 1)",
    "nested abs": "abs(x - " * 25 + "y" + ")" * 25,
}


def make(text, **more):
    return System("nasty", {"x": text, "y": "-x"}, {}, {"x": (0.1, 0.5), "y": (0.1, 0.5)}, **more)


CHILD = """
import json, resource, sys
from click.testing import CliRunner
from trajstore.pipeline.cli.main import main
result = CliRunner().invoke(main, sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
below = resource.getrusage(resource.RUSAGE_CHILDREN)
# What getrusage says of this process counts the memory of the one that started it.
held = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({
    "exit": result.exit_code, "output": result.output, "memory": max(held, below.ru_maxrss) / 1024,
    "seconds": used.ru_utime + used.ru_stime,
    "error": repr(result.exception) if result.exception and not isinstance(result.exception, SystemExit) else "",
}))
"""


def run(*arguments):
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def config(text):
    return f"""
[system]
name = "nasty"
equations = {{ x = "{text}", y = "-x" }}
initial_state = {{ x = [0.1, 0.5], y = [0.1, 0.5] }}
[grid]
duration = 1e-6
points = 3
[dataset]
train = 1
[engine]
max_steps = 100
"""


@pytest.mark.parametrize("case", NASTY)
def test_equations_that_would_hang_are_refused_and_named(case, monkeypatch, time_limit):
    monkeypatch.setattr("trajstore.pipeline.dynamics.systems.effort.MOST_CALLS", 300_000)
    with time_limit(60), pytest.raises(TrajstoreError, match=r"equation of x.*too much algebra"):
        make_engine(make(NASTY[case]), EngineSettings(name="heyoka"))


def test_the_command_refuses_them_in_time_and_little_memory(tmp_path):
    (tmp_path / "nasty.toml").write_text(config(NASTY["fractions within abs"]))
    done = run("generate", tmp_path / "nasty.toml", "--out", tmp_path / "d")
    assert not done["error"]
    assert done["exit"] == 2
    assert "equation of x" in done["output"]
    assert done["seconds"] < SECONDS
    assert done["memory"] < MEBIBYTES


@pytest.mark.parametrize("command", [["verify", "--reintegrate", "5"], ["info"]], ids=["verify", "info"])
def test_they_come_in_by_a_strangers_shard_too(dataset_copy, forge, command):
    file = "train-00001.h5"
    system = json.loads(str(read_shard(dataset_copy / file).attributes["system"]))
    system["equations"]["x2"] = NASTY["fractions within abs"].replace("x", "x1").replace("y", "x2")
    forge(dataset_copy, file, attributes={"system": canonical_json(system)})
    done = run(*command, dataset_copy / file)
    assert not done["error"]
    assert done["exit"] in (0, 1, 2)
    assert done["seconds"] < SECONDS
    assert done["memory"] < MEBIBYTES


def test_a_hamiltonian_is_bounded_as_it_is_read_and_differentiated(monkeypatch):
    monkeypatch.setattr("trajstore.pipeline.dynamics.systems.effort.MOST_CALLS", 3000)
    with pytest.raises(TrajstoreError, match=r"hamiltonian.*too much algebra"):
        from_hamiltonian(
            "own", "p**2/2 + " + "*".join(f"cos(q + {n})" for n in range(30)), {"q": "p"}, {}, {}
        )


def test_what_is_counted_is_the_same_again_and_ends_where_it_says():
    def work(count):
        return [abs(number) for number in map(_identity, range(count))]

    counts = []
    for _ in range(2):
        effort = Effort(1000)
        with bounded("some", effort):
            work(500)
        counts.append(effort.left)
    assert counts[0] == counts[1] < 1000
    told = pytest.raises(
        TooMuchAlgebraError, match=r"some: too much algebra, given up after 1\d\d\d operations"
    )
    with told, bounded("some", Effort(1000)):
        work(2000)
    assert sys.gettrace() is None
    work(2000)


def _identity(number):
    return number


def test_too_many_operations_are_not_compiled(monkeypatch):
    monkeypatch.setattr("trajstore.pipeline.dynamics.systems.compiling.MOST_WORK", 50)
    system = get_system("lorenz")
    with pytest.raises(TrajstoreError, match="too many to compile"):
        compiled((system.state_symbols,), list(system.vector_field), "math")


@pytest.mark.parametrize(
    ("name", "size"), [("lorenz-96", 100), ("three-body", None), ("double-pendulum", None)]
)
def test_large_systems_of_the_library_are_not_too_much(name, size):
    system = System.from_dict(get_system(name, size).to_dict())
    system.latex()
    for engine in ("auto", "scipy"):
        make_engine(system, EngineSettings(name=engine))
    replace(system, description="again").numeric()


def random_text(generator, depth):
    """An equation in which functions, powers and sums stand in each other."""
    if depth == 0:
        return generator.choice(["x", "y", "t", "0.5", "2", "7/3"])
    parts = [random_text(generator, depth - 1) for _ in range(generator.choice([1, 2, 2, 3]))]
    inner = generator.choice(["+", "*", "-"]).join(f"({part})" for part in parts)
    form = generator.choice(
        ["abs({})", "sign({})", "sin({})", "exp({})", "sqrt({})", "({})**3", "({})**1.5", "1/({})", "({})"]
    )
    return form.format(inner)


def test_random_nests_are_taken_or_refused_in_time(time_limit):
    generator = random.Random(0)
    with time_limit(120):
        for _ in range(int(os.environ.get("NESTS", "15"))):
            text = random_text(generator, generator.choice([3, 4, 5]))
            if len(text) > 10_000:
                continue
            try:
                make_engine(make(text), EngineSettings())
            except TrajstoreError:
                continue
