"""Entry of `python -m constellation_jax`: the command line, also where the console script is not on the path."""

from constellation_jax.cli import main

main()
