"""Entry point of the command line."""

import os
import sys

from taxiway import console
from taxiway.errors import TaxiwayError


def main() -> None:
    """Run the command line; a plain `taxiway start` doesn't load it, because each container start would pay for that."""
    try:
        if sys.argv[1:] == ["start"]:
            from taxiway.start import start  # noqa: PLC0415

            start({}, os.environ)
        else:
            from taxiway.cli import taxiway  # noqa: PLC0415

            taxiway(prog_name="taxiway")
    except TaxiwayError as error:
        console.error(str(error), error.code)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
