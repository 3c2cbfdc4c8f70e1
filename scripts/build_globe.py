"""Build the page of the globe, constellation_jax/views/globe/web/page.html, from its sources in web/src.

    python scripts/build_globe.py [OUTPUT]

Needs node and npm; the packages of package-lock.json are installed in a folder that is removed again. After a change of
package.json: `npm install --package-lock-only` in web/, then this script, which refuses a lock file that names a server.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WEB = Path(__file__).parents[1] / "constellation_jax" / "views" / "globe" / "web"


def build(output: Path) -> None:
    """Build the page into a file."""
    lock = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))
    named = [name for name, package in lock["packages"].items() if "resolved" in package]
    if named:
        raise SystemExit(f"package-lock.json: {named[0]} names a server (resolved); remove these lines")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "web"
        shutil.copytree(WEB, place)
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(npm, cwd=place, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["node", "build.mjs"], cwd=place, check=True)
        shutil.copy(place / "page.html", output)


if __name__ == "__main__":
    build(Path(sys.argv[1]) if sys.argv[1:] else WEB / "page.html")
