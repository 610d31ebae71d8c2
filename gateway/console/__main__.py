"""`python -m gateway.console --config FILE`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Final

from gateway.config.load import load_site
from gateway.console.server import serve
from gateway.logs import configure, get_log
from readers.errors import ConfigError

EX_SOFTWARE: Final = 70  # sysexits.h: systemd starts us again
EX_CONFIG: Final = 78  # sysexits.h: it does not, the file must change first


def main(arguments: list[str] | None = None) -> int:
    """Run the console until it is stopped."""
    parser = argparse.ArgumentParser(prog="tagwharf run console")
    parser.add_argument("--config", type=Path, required=True)
    path = parser.parse_args(arguments).config
    configure("console")
    try:
        site = load_site(path)
        asyncio.run(serve(site, path))
    except ConfigError as error:
        for line in str(error).splitlines():
            get_log().critical("site_file_refused", fault=line)
        return EX_CONFIG
    except OSError as error:
        get_log().error("console_failed", error=error.strerror)
        return EX_SOFTWARE
    return 0


if __name__ == "__main__":
    sys.exit(main())
