"""`python -m pyroify`."""

from pyroify.cli import main

if __name__ == "__main__":
    main()
