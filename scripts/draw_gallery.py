"""Draw the figures of docs/how-to/figures.md and of the README, by the commands that the page shows, on the package's own data.

    python scripts/draw_gallery.py [NAME ...]

Files are made in a temporary folder, those of an earlier run of the script in $GALLERY_FILES where that is set. The history of
element sets is real and not in the package: it is read in ../shared/data beside the checkout.
"""

import gzip
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
FILES = {
    "today.nc": "propagate --catalog bundled --duration 2min --step 1min --variables decay",
    "planned.nc": "propagate --shells guowang --shells qianfan --shells kuiper --shells starlink:gen2-2024 "
    "--duration 2min --step 1min --variables decay",
    "orbits.nc": "propagate --shells kuiper --duration 2h --step 2min --variables altitude --variables geodetic",
    "deploy.nc": "deploy qianfan --draws 200",
    "decay.nc": "decay bundled --select 'mean_altitude_km=492..508' --years 12",
    "low.nc": "decay --shells ladder.toml --solar low --years 40",
    "median.nc": "decay --shells ladder.toml --years 40",
    "high.nc": "decay --shells ladder.toml --solar high --years 40",
    "keeping.nc": "station-keeping --shells starlink --shells guowang --specific-impulse-s 2000",
    "rates.nc": "encounter-rates bundled --shells guowang --shells qianfan --shells kuiper --days 0.1",
    "tuned.nc": "tune casic-vleo",
    "evening.nc": "passes bundled --select 'name=ONEWEB*' --site Stuttgart,48.78,9.18,290 --start 2025-06-24T21:00Z "
    "--duration 25min --min-elevation 35",
    "history.nc": "propagate --catalog history.tle --variables decay --duration 1min --step 1min",
}
"""File -> command that makes it."""
FIGURES = {
    "today-and-planned": "altitude-histogram today.nc planned.nc --set by=system --set altitude_km=[200,1300]",
    "density": "altitude-histogram today.nc --set by=system --set density=true --set altitude_km=[200,1300]",
    "inclination": "inclination-against-altitude today.nc",
    "gabbard": "gabbard today.nc",
    "tracks": "ground-track orbits.nc --find 'KUIPER A P00 S00' --find 'KUIPER C P00 S00'",
    "density-of-tracks": "track-density orbits.nc",
    "slots": "shell-slots orbits.nc",
    "states": "deployment-states deploy.nc",
    "in-orbit": "objects-in-orbit deploy.nc",
    "fan": "altitude-over-time decay.nc --set space_weather=bundled",
    "crowding": "crowding decay.nc",
    "lifetime": "lifetime-against-altitude low.nc median.nc high.nc",
    "keeping": "delta-v-against-altitude keeping.nc",
    "in-view": "satellites-in-view orbits.nc --set by=satellite_shell",
    "coverage": "coverage-map orbits.nc",
    "launch-groups": "launch-groups history.nc",
    "encounter-rates": "encounter-rates rates.nc",
    "sky": "sky evening.nc",
    "convergence": "convergence tuned.nc",
    "front": "pareto tuned.nc --at solar=high --set x=duty_cycle_peak --set y=round_trip",
}
"""Name of the image -> words of the command plot."""
LADDER = "system = 'Ladder'\n" + "".join(
    f"[[shells]]\nname = '{h} km'\naltitude_km = {h}\ninclination_deg = 53.0\nplanes = 1\nsatellites_per_plane = 1\n"
    f"ballistic_coefficient_m2_kg = 0.01\n"
    for h in range(300, 601, 50)
)
"""Shells of one satellite at seven altitudes."""
HISTORIES = ROOT.parent / "shared" / "data" / "series"
"""Element sets of the first years of satellites of OneWeb and Starlink, `NAME_gp.tle.gz`."""


def main() -> None:
    chosen = sys.argv[1:] or FIGURES
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.get("GALLERY_FILES", temporary))
        (folder / "ladder.toml").write_text(LADDER, encoding="utf-8")
        sets = [gzip.decompress(file.read_bytes()) for file in sorted(HISTORIES.glob("*_gp.tle.gz"))]
        (folder / "history.tle").write_bytes(b"".join(sets))
        for name in chosen:
            words = shlex.split(FIGURES[name])
            for file in (word for word in words if word.endswith(".nc")):
                if not (folder / file).exists():
                    run(folder, *shlex.split(FILES[file]), "--output", file, "--quiet")
            image = IMAGES / "figures" / f"{name}.png"
            run(folder, "plot", *words, "--output", str(image), "--overwrite", "--quiet")
            shrink(image)
            print(f"{image.relative_to(ROOT)}: {image.stat().st_size / 1e3:.0f} kB")


def run(folder: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "constellation_jax", *words], cwd=folder, check=True)


def shrink(image: Path) -> None:
    """Keep half of the pixels and 64 colours, which a page shows as well in a quarter of the bytes."""
    from PIL import Image  # comes with matplotlib

    with Image.open(image) as whole:
        half = whole.convert("RGB").resize((whole.width // 2, whole.height // 2), Image.Resampling.LANCZOS)
    half.quantize(64).save(image, optimize=True)


if __name__ == "__main__":
    main()
