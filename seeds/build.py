"""Builds the seeds from the gathered material: `python seeds/build.py ../shared/data`."""

from __future__ import annotations

import sys
from pathlib import Path

from build_directory import directory_files
from build_registry import pack, registry_files

SEEDS = Path(__file__).resolve().parent


def main(material: Path) -> None:
    """Write every built file; two runs over the same material write the same bytes."""
    written = {SEEDS / name: data for name, data in directory_files(material / "directory").items()}
    registry = pack(registry_files(material / "ipdata"))
    written |= {SEEDS / "registry" / name: data for name, data in registry.items()}
    for path, data in sorted(written.items()):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        print(f"{len(data):>9} {path.relative_to(SEEDS)}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python seeds/build.py FOLDER  (with directory/csirt_facts.csv and ipdata/)")
    main(Path(sys.argv[1]))
