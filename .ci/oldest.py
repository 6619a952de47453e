"""Print the oldest versions that setup.cfg promises, one a line, as constraints for pip."""

import configparser
import re
from pathlib import Path

EXTRAS = ("app", "certh", "dask", "heic", "lab", "many", "paper", "study")
"""What users install; the tools of developers are always the newest."""


def main() -> None:
    """Turn each ``name>=version`` into ``name==version``."""
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[1] / "setup.cfg", encoding="utf-8")
    lines = setup["options"]["install_requires"].splitlines()
    for extra in EXTRAS:
        lines += setup["options.extras_require"].get(extra, "").splitlines()
    bounds = {
        match[1]: match[2] for line in lines if (match := re.fullmatch(r"([\w.-]+)>=(\S+)", line))
    }
    for name, version in sorted(bounds.items()):
        print(f"{name}=={version}")


if __name__ == "__main__":
    main()
