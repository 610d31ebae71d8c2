import asyncio
from pathlib import Path

import pytest

from gateway.demo.children import Child, ChildDiedError


def test_a_child_that_dies_is_named_with_its_last_words(tmp_path: Path) -> None:
    async def scenario() -> None:
        child = await Child.start("broken", tmp_path, "no.such.module")
        await child.process.wait()
        with pytest.raises(ChildDiedError, match=r"broken ended by itself with status 1.*\n.*No module named"):
            child.require_alive()

    asyncio.run(scenario())


def test_a_child_that_lives_is_stopped_by_a_signal(tmp_path: Path) -> None:
    async def scenario() -> int:
        child = await Child.start("server", tmp_path, "http.server", "0", "--bind", "127.0.0.1")
        await asyncio.sleep(0.3)
        child.require_alive()
        return await child.stop()

    assert asyncio.run(scenario()) == -15


def test_the_token_of_the_demonstration_is_not_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUX_TOKEN", "known-token")

    async def scenario() -> bytes:
        child = await Child.start("server", tmp_path, "http.server", "0", "--bind", "127.0.0.1")
        try:
            return await asyncio.to_thread(Path(f"/proc/{child.process.pid}/environ").read_bytes)
        finally:
            await child.stop()

    environ = asyncio.run(scenario())
    assert environ
    assert b"known-token" not in environ
