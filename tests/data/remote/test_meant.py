"""A path that is not there and reads as an address says so; a path that is one says nothing of it."""

import pytest
from click.testing import CliRunner
from trajstore.data.remote.address import meant
from trajstore.pipeline.cli.main import main


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("localhost:8765/ds", "say http://localhost:8765/ds"),
        ("localhost", "say http://localhost"),
        ("127.0.0.1:80/ds", "say http://127.0.0.1:80/ds"),
        ("example.org/data/ds", "say https://example.org/data/ds"),
        ("data.example.org:8443/ds", "say https://data.example.org:8443/ds"),
        ("example.org/ds?key=secret", "say https://example.org/ds"),
        ("doi:10.5281/zenodo.123", "trajstore fetch doi:10.5281/zenodo.123 DIR"),
        ("10.5281/zenodo.123", "trajstore fetch doi:10.5281/zenodo.123 DIR"),
        ("https://zenodo.org/records/123?x=1", "trajstore fetch https://zenodo.org/records/123 DIR"),
        ("https://doi.org/10.5281/zenodo.123", "trajstore fetch https://doi.org/10.5281/zenodo.123 DIR"),
    ],
)
def test_what_reads_as_an_address(path, said):
    assert meant(path).endswith(said)


@pytest.mark.parametrize(
    "path",
    [
        "dataset",
        "data/set",
        "./data",
        "/tmp/a.b/c",
        "run.toml",
        "a.h5",
        "v1.2/data",
        "10.5281/mine",
        "local",
        "../x.yz/c",
    ],
)
def test_what_reads_as_a_path(path):
    assert meant(path) == ""


@pytest.mark.parametrize(
    "command",
    [
        ["info", "{}"],
        ["verify", "{}"],
        ["plot", "{}"],
        ["view", "{}"],
        ["select", "{}", "--out", "out"],
        ["merge", "{}", "{}", "--out", "out"],
        ["export", "{}", "--format", "csv", "--out", "out"],
        ["train", "learning.toml", "--data", "{}", "--out", "out"],
    ],
)
@pytest.mark.parametrize("path", ["doi:10.5281/zenodo.123", "localhost:8765/ds"])
def test_commands_say_so(command, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "learning.toml").write_text("[training]\nsteps = 2\n")
    result = CliRunner().invoke(main, [part.format(path) for part in command])
    assert result.exit_code == 2, result.output
    assert meant(path) in result.stderr
    assert not (tmp_path / "out").exists()


def test_fetch_says_so_of_an_address_without_its_scheme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["fetch", "localhost:8765/ds", "out"])
    assert result.exit_code == 2
    assert "say http://localhost:8765/ds" in result.stderr
