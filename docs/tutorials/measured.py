# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Measured data
#
# A pendulum was filmed twenty times, 50 pictures a second; a table has its angle and angular velocity. (So
# that this page needs no download, a program plays the camera: a damped pendulum, rounded times, noise, a
# picture that is missing.)

# %% alt="The angle of the first three takes over time"
import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.integrate import solve_ivp


def slopes(_, x):
    return [x[1], -9.81 * np.sin(x[0]) - 0.1 * x[1]]


random = np.random.default_rng(0)
lines = []
for take in range(20):
    times = np.arange(0.0, 20.0, 0.02)
    start = [random.uniform(0.5, 2.5), 0.0]
    path = solve_ivp(slopes, (0, 20), start, t_eval=times, rtol=1e-9)
    seen = path.y.T + random.normal(0.0, 0.005, (len(times), 2))
    if take < 3:
        plt.plot(times, seen[:, 0], lw=0.8, label=f"take {take}")
    for time, (angle, velocity) in zip(times, seen, strict=True):
        lines.append([take, f"{1000 * time:.0f}", f"{angle:.4f}", f"{velocity:.4f}", "indoors"])
lines[150][2] = ""
plt.xlabel("time (s)")
plt.ylabel("angle (rad)")
plt.legend(loc="upper right")

with Path("takes.csv").open("w", newline="") as file:
    csv.writer(file).writerows([["take", "clock [ms]", "angle (rad)", "omega (rad/s)", "remark"], *lines])

# %% [markdown]
# ## From the table to a dataset
#
# `take` tells trajectories apart, `clock` has the times. Whole takes go to train, validation or test; never
# do pieces of one take lie in two of these. (By command: `trajstore import takes.csv --trajectory take
# --time clock --components "angle,omega" --length 500 ...`)

# %%
from trajstore.pipeline import Columns, Import, import_files

columns = Columns(trajectory="take", time="clock", components={"angle": "angle", "omega": "omega"})
settings = Import(
    columns=columns,
    name="pendulum-takes",
    length=500,
    validation=0.2,
    test=0.2,
    time_unit="s",
    title="A pendulum, filmed",
    creator="A. Observer",
    license="CC-BY-4.0",
)
imported = import_files("takes.csv", "dataset", settings)
for name, split in imported.manifest.splits.items():
    print(f"{name:>10}: {split.trajectories} rows, {split.failed} of them with a gap")

# %% [markdown]
# Milliseconds became seconds, a gap became a row that is marked `missing` and left out of samples, and a
# column that nobody asked for is not there. Nothing was guessed: where a file leaves two readings open, the
# import is refused with a message that says what to tell it.

# %%
from trajstore.data import TrajectoryDataset
from trajstore.pipeline import verify

test = TrajectoryDataset("dataset", "test", "forecast")
print(len(test), "rows of", test.components, "from", test.time[0], "to", test.time[-1], "s")
print("problems:", verify("dataset"))

# %% [markdown]
# ## Learned from
#
# A config for measured data needs no `[system]`, `[grid]` or `[dataset]`.

# %%
from trajstore.pipeline import evaluate, load_config, plot, train

Path("forecast.toml").write_text("""
[task]
name = "forecast"
window = 50
stride = 25
normalize = true

[model]
hidden = 24

[training]
batch = 32
steps = 800
evaluate_every = 100

[evaluation]
rollouts = 8
""")
train(load_config("forecast.toml"), "dataset", "run")
rollout = evaluate("run")["rollout"]
print(f"valid prediction time of the network: {rollout['vpt']:.2f} s")
for name, baseline in rollout["baselines"].items():
    print(f"{name:>12}: {baseline['vpt']:.2f} s")

# %% alt="Errors of rollouts of the network over time, beside the baselines"
from IPython.display import Image, display

figures = {path.stem: path for path in plot("run")}
display(Image(figures["growth"], width=720))

# %% [markdown]
# What is true then is the measured row itself, noise and all, and a rollout ends where the row does. Since
# there are no equations, no row can be integrated again, and `verify` checks all but that.
#
# [Datasets on their way](../sharing.md#import-what-was-measured) has the kinds of files, and what is said
# of dimensions, units, decimal signs and gaps.
