"""`python -m digitforge`: the command line without its script."""

from digitforge.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
