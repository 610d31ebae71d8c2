"""The distributions that packages are built for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OLDEST_MANYLINUX: Final = 5  # manylinux_2_5 is manylinux1


@dataclass(frozen=True, slots=True)
class Target:
    """One distribution: a virtual environment breaks when its Python moves on, so the package names the minor version.

    Attributes:
        python: major and minor version of its python3.
        glibc: minor version of its C library 2.x; wheels that need a later one are not taken.
        suffix: what the version of the package ends with, so that a release upgrade is an upgrade of packages too.
    """

    name: str
    python: tuple[int, int]
    glibc: int
    suffix: str

    @property
    def python_version(self) -> str:
        """As "3.11"."""
        return f"{self.python[0]}.{self.python[1]}"

    @property
    def abi(self) -> str:
        """As "cp311"."""
        return f"cp{self.python[0]}{self.python[1]}"

    @property
    def depends(self) -> list[str]:
        """What dpkg is told about Python: this minor version and no other."""
        major, minor = self.python
        return [f"python3 (>= {major}.{minor}~)", f"python3 (<< {major}.{minor + 1}~)"]

    @property
    def platforms(self) -> list[str]:
        """Platform tags of the wheels that run there, as pip takes them."""
        numbered = [f"manylinux_2_{minor}_x86_64" for minor in range(self.glibc, OLDEST_MANYLINUX - 1, -1)]
        return [*numbered, "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"]


TARGETS: Final = {
    target.name: target
    for target in (
        Target("bookworm", (3, 11), 36, "+deb12"),
        Target("trixie", (3, 13), 41, "+deb13"),
        Target("noble", (3, 12), 39, "+ubuntu24.04"),
    )
}
ARCHITECTURE: Final = "amd64"
