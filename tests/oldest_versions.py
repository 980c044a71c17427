"""The oldest versions that pyproject.toml allows, as constraints for pip: `python tests/oldest_versions.py dev`.

Of the dependencies, and of the extras that are named; torch, which is large, stays as it is.
"""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

AS_INSTALLED = "torch"
# What old ones of these need and do not bound above: matplotlib 3.9 calls what later versions warn of.
OF_THAT_TIME = {"matplotlib": "pyparsing==3.1.4"}


def oldest(*extras: str) -> Iterator[str]:
    """`name==version` of each that is wanted on this machine."""
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    texts = [*project["dependencies"]]
    for extra in extras:
        texts += project["optional-dependencies"][extra]
    for requirement in map(Requirement, texts):
        wanted = requirement.marker is None or requirement.marker.evaluate()
        if wanted and requirement.name != AS_INSTALLED:
            (bound,) = requirement.specifier
            assert bound.operator == ">=", f"{requirement}: expected a lower bound alone"
            yield f"{requirement.name}=={bound.version}"
            if requirement.name in OF_THAT_TIME:
                yield OF_THAT_TIME[requirement.name]


if __name__ == "__main__":
    print("\n".join(oldest(*sys.argv[1:])))
