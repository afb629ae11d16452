"""`python -m metassl` is the command `metassl`."""

import sys

from metassl.cli import main

if __name__ == "__main__":
    sys.exit(main())
