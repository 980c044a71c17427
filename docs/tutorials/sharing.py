# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Share, fetch, verify
#
# A dataset is a folder; any server can hand it on. Here one is made and put on a server, another is made of
# it elsewhere, and then it is damaged in three ways to see who notices. (Each call is a command, too:
# `trajstore generate`, `fetch`, `verify`, ...)

# %% [markdown]
# ## A dataset with its papers
#
# `title`, `creator`, `license` and `date` go into its card, `README.md`, and into `croissant.json`, which
# programs read.

# %%
from pathlib import Path

Path("pendulum.toml").write_text("""
[system]
name = "pendulum"

[grid]
duration = { periods = 4 }
points_per_period = 25

[dataset]
train = 800
validation = 100
test = 100
title = "A pendulum without friction"
creator = "A. Author"
license = "CC-BY-4.0"
date = "2026-11"
diagnostics = ["energy_drift"]
""")

# %%
from trajstore.pipeline import generate, load_config

made = generate(load_config("pendulum.toml"), "server/pendulum")
for path in sorted(Path("server/pendulum").iterdir()):
    print(f"{path.name:>19} {path.stat().st_size:>8,} bytes")
print("id", made.manifest.id)

# %% [markdown]
# The card says what it is, for people:

# %%
card = Path("server/pendulum/README.md").read_text()
print(card[card.index("# A pendulum") : card.index("## Parameters")])

# %% [markdown]
# ## On a server, and from there
#
# Any will do, for these are plain files.

# %%
import subprocess
import sys

server = subprocess.Popen(
    [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", "server"],
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
    text=True,
)
port = server.stdout.readline().split("port ")[1].split()[0]

# %% [markdown]
# `fetch` brings the manifest, then every file that it names, holds each against its hash before it gets its
# name, and verifies the whole. It goes on where a broken connection left it. `identity` says which dataset
# it must be: the id from a paper, or its first digits, since a server could have another.

# %%
from trajstore.pipeline import fetch

fetched = fetch(f"http://127.0.0.1:{port}/pendulum/", "here", identity=made.manifest.id[:8])
print("the same:", fetched.manifest.id == made.manifest.id)

# %%
from trajstore.data import TrajstoreError

try:
    fetch(f"http://127.0.0.1:{port}/pendulum/", "there", identity="0123456789")
except TrajstoreError as error:
    print(str(error).replace(port, "PORT"))
server.terminate()
_ = server.wait()

# %% [markdown]
# ## Is it what it says it is?
#
# Whoever has the folder can check two things. That nothing has changed since it was made; and, for the
# equations and the exact initial states are in the files, that the numbers are right, by integrating rows
# again with an engine that did not make them.

# %%
from trajstore.pipeline import reintegrate, verify

print("problems:", verify("here"))
again = reintegrate("here", rows=20)
print("problems of 20 rows that were integrated again:", again.problems)

# %% [markdown]
# ## Damaged
#
# One bit of one number:

# %%
shard = Path("here/test-00000.h5")
whole = shard.read_bytes()
damaged = bytearray(whole)
damaged[len(damaged) // 2] ^= 1
shard.write_bytes(damaged)
print(*verify("here"), sep="\n")

# %% [markdown]
# Cut short, and gone:

# %%
shard.write_bytes(whole[:-1000])
print(*verify("here"), sep="\n")
shard.unlink()
print(*verify("here"), sep="\n")

# %% [markdown]
# The original is still there, so `fetch` mends it: it brings what is not whole, and nothing else.

# %%
mended = fetch("server/pendulum", "here")
print("problems:", verify("here"))

# %% [markdown]
# ## Others of it
#
# `select` and `merge` make datasets of datasets, `export` writes NPZ, CSV or netCDF. What is made knows
# where it came from, so that it can be verified in the same way.

# %%
from trajstore.pipeline import Selection, select

short = select("here", "short", Selection(time=(0.0, 5.0), splits=("test",)))
print(
    {name: split.trajectories for name, split in short.splits.items()},
    "of",
    short.config["derived"]["operation"],
)
print("problems:", [*verify("short"), *reintegrate("short", rows=5).problems])

# %% [markdown]
# [Datasets on their way](../sharing.md) has all of these, [Trust](../trust.md) what the checks were tried
# with, and [Format](../format.md) what lies in the files.
