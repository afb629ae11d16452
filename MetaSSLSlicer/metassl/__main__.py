"""`python -m metassl` is the command `metassl`."""

import json
import sys

try:
    from metassl.cli import main
except ImportError as error:  # in a Python that lacks what even the command line needs
    if "--json" in sys.argv:
        print(json.dumps({"error": {"code": "missing_package", "message": str(error), "package": error.name}}))
    sys.exit(f"metassl: {type(error).__name__}: {error}")

if __name__ == "__main__":
    sys.exit(main())
