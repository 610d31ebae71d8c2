"""A disk with a volatile write cache, as a real drive has one, served to QEMU over NBD on a Unix socket.

What was written since the last flush may be there after a power cut, or not, sector by sector, in any order; what was
flushed is there. A disk that is not `honest` takes a flush for nothing: the negative control.

    handshake   server: "NBDMAGIC" "IHAVEOPT" flags(2)   client: flags(4)
    option      client: "IHAVEOPT" option(4) length(4) data
    reply       server: 0x3e889045565a9 option(4) type(4) length(4) data
    request     client: 25609513 flags(2) type(2) handle(8) offset(8) length(4) [data]
    answer      server: 67446698 error(4) handle(8) [data]

All numbers are big-endian.

Source: the NBD protocol, doc/proto.md of NetworkBlockDevice/nbd: fixed newstyle, simple replies.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
from pathlib import Path
from typing import Final

SECTORS: Final = (4096, 512)
"""What a drive writes whole or not at all: most of today's, and old ones."""
_OPTION_MAGIC: Final = b"IHAVEOPT"
_REPLY_MAGIC: Final = 0x0003E889045565A9
_REQUEST_MAGIC: Final = 0x25609513
_ANSWER_MAGIC: Final = 0x67446698
_FIXED_NEWSTYLE: Final = 1
_NO_ZEROES: Final = 2
_OPT_ABORT: Final = 2
_OPT_INFO: Final = 6
_OPT_GO: Final = 7
_REP_ACK: Final = 1
_REP_INFO: Final = 3
_REP_UNSUPPORTED: Final = (1 << 31) + 1
_INFO_EXPORT: Final = 0
_HAS_FLAGS_AND_FLUSH: Final = 1 | 4
_READ: Final = 0
_WRITE: Final = 1
_DISCONNECT: Final = 2
_FLUSH: Final = 3
_INVALID: Final = 22
_REQUEST_MOST: Final = 32 << 20


class VolatileDisk:
    """The content of one disk: as the guest sees it, and as it would be after a cut.

    Args:
        sector: bytes that are written whole or not at all, aligned.

    Attributes:
        flushes: how many flushes it was asked for; lost_sectors: how many written sectors the last cut took back.
        dead: set when the write came at which the disk was to die; it takes and answers nothing from then on.
    """

    def __init__(self, image: bytes, *, sector: int = SECTORS[0], honest: bool = True) -> None:
        self.flushes = 0
        self.lost_sectors = 0
        self.dead = threading.Event()
        self._writes_left: int | None = None
        self._honest = honest
        self._sector = sector
        self._seen = bytearray(image)
        self._durable = bytearray(image)
        self._volatile: list[tuple[int, bytes]] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._seen)

    def die_at(self, write: int | None) -> None:
        """Die with this write, counted from now; None: live on."""
        with self._lock:
            self._writes_left = write
            self.dead.clear()

    def read(self, offset: int, length: int) -> bytes:
        """What the guest sees."""
        with self._lock:
            return bytes(self._seen[offset : offset + length])

    def write(self, offset: int, data: bytes) -> None:
        """Take data into the cache."""
        with self._lock:
            if self.dead.is_set():
                return
            self._seen[offset : offset + len(data)] = data
            self._volatile.append((offset, data))
            if self._writes_left is not None:
                self._writes_left -= 1
                if self._writes_left <= 0:
                    self.dead.set()

    def flush(self) -> None:
        """Make everything durable that was written until now."""
        with self._lock:
            if self.dead.is_set():
                return
            self.flushes += 1
            if self._honest:
                self._keep_volatile(random.Random(0), 1.0)

    def cut(self, rng: random.Random, kept: float) -> bytes:
        """The image after a power cut; each sector not flushed is kept with the probability `kept`."""
        with self._lock:
            self._keep_volatile(rng, kept)
            self._seen[:] = self._durable
            return bytes(self._durable)

    def _keep_volatile(self, rng: random.Random, kept: float) -> None:
        self.lost_sectors = 0
        for offset, data in self._volatile:
            if kept >= 1.0:
                self._durable[offset : offset + len(data)] = data
                continue
            start, end = offset, offset + len(data)
            while start < end:
                stop = min(end, start - start % self._sector + self._sector)
                if rng.random() < kept:
                    self._durable[start:stop] = data[start - offset : stop - offset]
                else:
                    self.lost_sectors += 1
                start = stop
        self._volatile.clear()


class DiskServer:
    """Serves one disk to one client after another, from its own thread."""

    def __init__(self, path: Path, disk: VolatileDisk) -> None:
        self._disk = disk
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._thread = threading.Thread(target=self._serve, name="disk", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; the client is gone or is cut off."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                try:
                    if _negotiated(client, len(self._disk)):
                        self._answer(client)
                except (ConnectionError, EOFError):
                    continue  # the machine was killed

    def _answer(self, client: socket.socket) -> None:
        while True:
            magic, _, kind, handle, offset, length = struct.unpack(">IHHQQI", _exactly(client, 28))
            if magic != _REQUEST_MAGIC or length > _REQUEST_MOST:
                raise ConnectionError(f"not a request: {magic:#x}, {length} bytes")
            error, data = 0, b""
            if kind == _DISCONNECT:
                return
            if kind == _READ and offset + length <= len(self._disk):
                data = self._disk.read(offset, length)
            elif kind == _WRITE and offset + length <= len(self._disk):
                self._disk.write(offset, _exactly(client, length))
            elif kind == _FLUSH:
                self._disk.flush()
            else:
                error = _INVALID
            if self._disk.dead.is_set():
                raise ConnectionError("the disk has lost its power")
            client.sendall(struct.pack(">IIQ", _ANSWER_MAGIC, error, handle) + data)


def _negotiated(client: socket.socket, size: int) -> bool:
    """Whether the client wants the disk."""
    client.sendall(b"NBDMAGIC" + _OPTION_MAGIC + struct.pack(">H", _FIXED_NEWSTYLE | _NO_ZEROES))
    _exactly(client, 4)
    while True:
        magic, option, length = struct.unpack(">8sII", _exactly(client, 16))
        if magic != _OPTION_MAGIC or length > _REQUEST_MOST:
            raise ConnectionError(f"not an option: {magic!r}, {length} bytes")
        _exactly(client, length)
        if option in (_OPT_GO, _OPT_INFO):
            export = struct.pack(">HQH", _INFO_EXPORT, size, _HAS_FLAGS_AND_FLUSH)
            client.sendall(_reply(option, _REP_INFO, export) + _reply(option, _REP_ACK))
            if option == _OPT_GO:
                return True
        elif option == _OPT_ABORT:
            client.sendall(_reply(option, _REP_ACK))
            return False
        else:
            client.sendall(_reply(option, _REP_UNSUPPORTED))


def _reply(option: int, kind: int, data: bytes = b"") -> bytes:
    return struct.pack(">QIII", _REPLY_MAGIC, option, kind, len(data)) + data


def _exactly(client: socket.socket, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        part = client.recv(min(length - len(found), 1 << 20))
        if not part:
            raise EOFError
        found += part
    return bytes(found)
