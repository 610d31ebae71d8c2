from __future__ import annotations

import subprocess
import sys

from readers.driver import Kind
from readers.registry import driver
from readers.rfid import llrp
from readers.rfid.llrp.driver import DRIVER


def test_the_registry_finds_it() -> None:
    spec = driver("llrp")
    assert spec is DRIVER is llrp.DRIVER
    assert (spec.kind, spec.tcp_port, spec.tls_port, spec.line) == (Kind.RFID, 5084, 5085, None)
    assert isinstance(spec.make(llrp.LlrpSettings()), llrp.LlrpDriver)


def test_importing_it_leaves_logging_alone_and_loads_no_transport_of_sllurp() -> None:
    program = (
        "import logging, sys; import readers.rfid.llrp; root = logging.getLogger(); "
        "assert not root.handlers and root.level == logging.WARNING; "
        "assert not logging.getLogger('sllurp').handlers; "
        "assert 'sllurp.llrp' not in sys.modules and 'sllurp.cli' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
