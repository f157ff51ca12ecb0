"""`python -m emulator`."""

import asyncio
import logging
import sys

from emulator import options, service


def main() -> int:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    return asyncio.run(service.serve(options.parse()))


if __name__ == "__main__":
    sys.exit(main())
