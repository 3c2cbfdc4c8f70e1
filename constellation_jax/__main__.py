"""Entry of `constellation-jax` and `python -m constellation_jax`: the command line, also at an interrupt while it is loaded."""

import sys


def main() -> None:
    """Run the command line; the console script calls this."""
    try:
        from constellation_jax.cli import main
    except KeyboardInterrupt:
        sys.exit(130)
    main()


if __name__ == "__main__":
    main()
