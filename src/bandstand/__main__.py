"""`python -m bandstand`, and the command `band`."""

import sys


def main() -> int:
    """Run the command line; the exit code."""
    from bandstand.faces.cli.main import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
