"""PC/SC readers, through pyscard: the library waits for cards and for their answers in threads of its own.

What passes are `readers.pcsc_messages`. Two contexts of the library are used, one to wait and one to
talk, because a context serves one call at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Self

from readers.errors import ConfigError, LinkError
from readers.pcsc_messages import Kind, Message, encode, parse
from readers.ports.base import HoldingPort

SCHEME: Final = "pcsc"
OPEN_WITHIN_S: Final = 5.0
ANSWER_WITHIN_S: Final = 5.0  # a card may ask for more time, but not for so much
_WAIT_MS: Final = 1_000  # the waiting thread looks so often whether it is to end
_MOST_SHOWN: Final = 8
_MOST_NAME_BYTES: Final = 128


class PcscPort(HoldingPort):
    """One reader of the PC/SC daemon. Made by `open_pcsc`, inside a running loop."""

    def __init__(self, scard: Any, reader: str) -> None:
        super().__init__(f"{SCHEME}:{reader}")
        self._scard = scard
        self._reader = reader
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._talking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pcsc-talk")
        self._context: Any = None  # of the talking thread alone
        self._card: tuple[Any, int] | None = None  # handle and protocol, of the talking thread alone
        self._waiting = threading.Thread(target=self._wait, name="pcsc-wait", daemon=True)

    async def send(self, data: bytes) -> None:
        """Have the card carry out the commands in `data`, whole messages; their answers are received.

        Raises:
            LinkError: the port is closed, or the reader did not come back from a command within 5 s.
        """
        buffer, at = bytearray(data), 0
        while found := parse(buffer, at):
            message, size = found
            at += size
            if self._closed:
                raise self._over()
            if message.kind is not Kind.COMMAND:
                continue
            exchanging = self._loop.run_in_executor(self._talking, self._exchange, message.data)
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    answer = await exchanging
            except TimeoutError as error:
                await self.close()
                raise LinkError(
                    f"{self.description}: no answer to a command within {ANSWER_WITHIN_S:g} s; unplug the reader"
                ) from error
            self._take(encode(answer))

    async def close(self) -> None:
        """Let go of the card and the reader; the waiting thread ends within a second."""
        if self._stop.is_set():
            return
        self._stop.set()
        if not self._closed:
            self._end("the port is closed")
        self._talking.submit(self._release)
        self._talking.shutdown(wait=False)

    @classmethod
    async def open(cls, name: str) -> Self:
        """Find the reader and begin to wait for cards.

        Raises:
            ConfigError: pyscard is not installed.
            LinkError: the daemon does not run, or has no such reader.
        """
        scard = _library()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                reader = await loop.run_in_executor(None, _find, scard, name)
        except TimeoutError as error:
            raise LinkError(f"{SCHEME}:{name}: the PC/SC daemon did not answer within {OPEN_WITHIN_S:g} s") from error
        port = cls(scard, reader)
        port._take(encode(Message(Kind.READER, reader.encode()[:_MOST_NAME_BYTES])))
        port._waiting.start()
        return port

    def _wait(self) -> None:
        """The waiting thread: tells of cards that come and go, until the port is closed or the reader is gone."""
        scard = self._scard
        status, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        if status != scard.SCARD_S_SUCCESS:
            self._post_end(f"the PC/SC daemon is gone: {_why(scard, status)}")
            return
        known, is_here = scard.SCARD_STATE_UNAWARE, None
        while not self._stop.is_set():
            status, states = scard.SCardGetStatusChange(context, _WAIT_MS, [(self._reader, known)])
            if status == scard.SCARD_E_TIMEOUT:
                continue
            if status != scard.SCARD_S_SUCCESS:
                self._post_end(f"the reader is gone: {_why(scard, status)}; is it still plugged in?")
                break
            _, state, atr = states[0]
            if state & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE | scard.SCARD_STATE_IGNORE):
                self._post_end("the reader is gone; is it still plugged in?")
                break
            # another card may have come between two looks: the daemon counts them in the upper half
            here = (state >> 16, bytes(atr)) if state & scard.SCARD_STATE_PRESENT and atr else None
            if here != is_here or known == scard.SCARD_STATE_UNAWARE:
                if is_here is not None or here is None:
                    self._post(Message(Kind.REMOVED))
                if here is not None:
                    self._post(Message(Kind.INSERTED, here[1]))
                is_here = here
            known = state & ~scard.SCARD_STATE_CHANGED
        scard.SCardReleaseContext(context)

    def _post(self, message: Message) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, nobody listens any more
            self._loop.call_soon_threadsafe(self._arrive, message)

    def _post_end(self, cause: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, nobody listens any more
            self._loop.call_soon_threadsafe(self._end, cause)

    def _arrive(self, message: Message) -> None:
        if self._closed:
            return
        if message.kind is Kind.REMOVED:
            self._talking.submit(self._let_go)
        self._take(encode(message))

    def _exchange(self, command: bytes) -> Message:
        """The talking thread: one command, answered or failed."""
        scard = self._scard
        if self._context is None:
            status, self._context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
            if status != scard.SCARD_S_SUCCESS:
                self._context = None
                return _failed(scard, status)
        if self._card is None:
            status, card, protocol = scard.SCardConnect(
                self._context,
                self._reader,
                scard.SCARD_SHARE_SHARED,
                scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1,
            )
            if status != scard.SCARD_S_SUCCESS:
                return _failed(scard, status)
            self._card = (card, protocol)
        card, protocol = self._card
        status, answer = scard.SCardTransmit(card, protocol, list(command))
        if status != scard.SCARD_S_SUCCESS:
            self._let_go()
            return _failed(scard, status)
        return Message(Kind.ANSWER, bytes(byte & 0xFF for byte in answer))

    def _let_go(self) -> None:
        if self._card is not None:
            self._scard.SCardDisconnect(self._card[0], self._scard.SCARD_LEAVE_CARD)
            self._card = None

    def _release(self) -> None:
        self._let_go()
        if self._context is not None:
            self._scard.SCardReleaseContext(self._context)
            self._context = None


async def open_pcsc(name: str) -> PcscPort:
    """Open a reader by its name, or by a part of it that only one reader has; see `PcscPort.open`."""
    return await PcscPort.open(name)


def _find(scard: Any, name: str) -> str:
    """The full name of the reader.

    Raises:
        LinkError: the daemon does not run, there is no such reader, or several fit.
    """
    status, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    if status != scard.SCARD_S_SUCCESS:
        raise LinkError(
            f"{SCHEME}:{name}: the PC/SC daemon does not answer: {_why(scard, status)}; "
            "install pcscd and see that pcscd.socket runs"
        )
    try:
        status, readers = scard.SCardListReaders(context, [])
    finally:
        scard.SCardReleaseContext(context)
    there: Sequence[str] = readers if status == scard.SCARD_S_SUCCESS else ()
    fitting = [reader for reader in there if reader == name] or [reader for reader in there if name in reader]
    if len(fitting) == 1:
        return fitting[0]
    shown = "; ".join(there[:_MOST_SHOWN]) or "none"
    what = f"several readers have that in their names ({len(fitting)})" if fitting else "there is no such reader"
    raise LinkError(f"{SCHEME}:{name}: {what}; readers that are there: {shown}")


def _failed(scard: Any, status: int) -> Message:
    return Message(Kind.FAILED, _why(scard, status).encode()[:_MOST_NAME_BYTES])


def _why(scard: Any, status: int) -> str:
    return str(scard.SCardGetErrorMessage(status)).strip()


def _library() -> Any:
    """The library's C module."""
    try:
        return importlib.import_module("smartcard.scard")
    except ImportError as error:
        raise ConfigError(
            f"driver pcsc needs pyscard, which is not installed ({error}): pip install tagwharf[pcsc]"
        ) from error
