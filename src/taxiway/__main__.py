"""Entry point of the command line."""

import os
import sys

from taxiway import __version__, console
from taxiway.errors import TaxiwayError
from taxiway.layout import is_image

ACTIONS = ("setup", "migrate", "verify", "alive", "ready")
BUG_STATUS = 70  # EX_SOFTWARE of sysexits.h


def main() -> None:
    """Run the command line; plain `start` and `assemble`, and what probes call, don't load it, as each would pay for that."""
    try:
        if sys.argv[1:] == ["start"] and is_image(os.environ):
            from taxiway.start import start  # noqa: PLC0415

            start({}, os.environ)
        elif sys.argv[1:] == ["assemble"]:
            from taxiway.assemble import assemble_in_image  # noqa: PLC0415

            assemble_in_image(os.environ)
        elif len(sys.argv) == 2 and sys.argv[1] in ACTIONS and is_image(os.environ):  # noqa: PLR2004  # the command alone
            from taxiway.actions import act  # noqa: PLC0415

            act(sys.argv[1], os.environ)
        else:
            from taxiway.cli import taxiway  # noqa: PLC0415

            taxiway(prog_name="taxiway")
    except TaxiwayError as error:
        console.error(str(error), error.code)
        if console.is_json():
            console.data_as_json({"error": {"code": error.code, "exit_status": error.exit_status, "message": str(error)}})
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception:  # noqa: BLE001  # whatever it is, the user has to learn that it isn't their fault
        import traceback  # noqa: PLC0415

        sys.stderr.write(console.masked(traceback.format_exc()))
        console.error(f"This is a bug in taxiway {__version__}. Please report it with the lines above.", "bug")
        sys.exit(BUG_STATUS)


if __name__ == "__main__":
    main()
