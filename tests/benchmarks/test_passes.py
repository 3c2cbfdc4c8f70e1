"""Rate of passes: 30,000 satellites over 100 sites for a day, against a loop in skyfield for 20 of them."""

import time

import numpy as np
import pytest
from skyfield_truth import satellite_of, site_of, times_of, timescale

import constellation_jax as cj

SATELLITES, SITES, LOOPED = 30_000, 100, 20
LEAST_RATIO = 500


@pytest.mark.benchmark
def test_passes_against_a_loop_in_skyfield() -> None:
    random = np.random.default_rng(1)
    real = cj.bundled_population()
    shells = [shell for name in ("guowang", "qianfan", "kuiper") for shell in cj.load_shells(name)]
    planned = cj.shells_to_catalog(shells, epoch="2025-06-24")
    catalog = cj.Catalog.concatenate([real, planned])
    catalog = cj.Catalog.concatenate([catalog, catalog])[:SATELLITES]
    places = zip(
        np.degrees(np.arcsin(random.uniform(-0.94, 0.94, SITES))), random.uniform(-180, 180, SITES), strict=True
    )
    sites = [cj.Site(f"P{k}", float(phi), float(lam)) for k, (phi, lam) in enumerate(places)]
    span = ("2025-06-25T00:00:00", "1d")

    cj.passes(catalog[:600], sites, (span[0], "2h"))  # compiles
    begin, cpu = time.perf_counter(), time.process_time()
    found = cj.passes(catalog, sites, span)
    own, cpu = len(catalog) * SITES / (time.perf_counter() - begin), time.process_time() - cpu

    scale = timescale()
    chosen = random.choice(len(catalog), LOOPED, replace=False)
    ends = times_of(np.array(["2025-06-25", "2025-06-26"], "M8[us]"), scale)
    begin, looped, events = time.perf_counter(), time.process_time(), 0
    for k in chosen:
        satellite = satellite_of(catalog, int(k), scale)
        for site in sites[:10]:
            events += len(satellite.find_events(site_of(site), *ends, altitude_degrees=10.0)[1])
    loop, looped = LOOPED * 10 / (time.perf_counter() - begin), time.process_time() - looped
    print(
        f"\n{len(catalog):,} satellites, {SITES} sites, a day: {found.sizes['pass']:,} passes, {own:,.0f} satellites and sites "
        f"a second; skyfield {loop:,.0f} ({events} events of {LOOPED} satellites over 10 sites): {own / loop:,.0f} times its rate\n"
        f"processor time: {cpu / len(catalog) / SITES * 1e6:.1f} us and {looped / LOOPED / 10 * 1e6:,.0f} us a satellite and site, "
        f"a ratio of {looped * len(catalog) * SITES / LOOPED / 10 / cpu:,.0f} on one core"
    )
    assert own > LEAST_RATIO * loop
