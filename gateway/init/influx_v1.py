"""Makes the database and the user of InfluxDB 1.x by `/query`: statements and passwords go in the body, never in a URL.

Source: InfluxDB 1.x, "API reference", /query; "Authentication and authorization"; "Manage your database".
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from gateway.config.models import Tls
from gateway.config.sinks import on_this_machine
from gateway.https import https_context
from gateway.init.steps import StepError

POLICY: Final = "autogen"
"""The default policy keeps this name, so that queries need name none."""
WITHIN_S: Final = 20.0
_MOST_ANSWER_BYTES: Final = 4 << 20
_CHUNK_BYTES: Final = 64 << 10
_SHARD_DAYS: Final = ((14, 1), (180, 7), (36_500, 30))
"""Days of a shard by days that are kept: a shard is what is dropped at once."""
_UNAUTHORIZED: Final = (401, 403)
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks."""

    user: str
    password: str

    def basic(self) -> str:
        """The header of RFC 7617."""
        return f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"


class InfluxV1:
    """`async with InfluxV1(...) as store:`."""

    def __init__(self, url: str, login: Login | None) -> None:
        """Refuses to send a password over http:// to another machine.

        Raises:
            StepError: it would.
        """
        self.url = url.rstrip("/")
        if login is not None and self.url.startswith("http://") and not on_this_machine(self.url):
            raise StepError(f"{self.url}: anybody on the way can read the administrator's password; use https://")
        self._login = login
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        tls = https_context(Tls()) if self.url.startswith("https://") else True
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=1),
            timeout=aiohttp.ClientTimeout(total=WITHIN_S),
            headers={} if self._login is None else {"Authorization": self._login.basic()},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def databases(self) -> list[str]:
        """Those that are there."""
        return [str(row[0]) for row in await self._query("SHOW DATABASES")]

    async def users(self) -> list[str]:
        """Those that are there."""
        return [str(row[0]) for row in await self._query("SHOW USERS")]

    async def create_database(self, name: str, keep_days: int) -> None:
        """Make a database that keeps its points so long; 0 for ever."""
        statement = f"CREATE DATABASE {identifier(name)} WITH DURATION {f'{keep_days}d' if keep_days else 'INF'}"
        if keep_days:
            shard_days = next(days for most, days in _SHARD_DAYS if keep_days <= most)
            statement += f" REPLICATION 1 SHARD DURATION {shard_days}d"
        await self._query(f"{statement} NAME {identifier(POLICY)}")

    async def create_writer(self, user: str, password: str, database: str) -> None:
        """Make a user that may write into one database and do nothing else."""
        await self._query(f"CREATE USER {identifier(user)} WITH PASSWORD {literal(password)}")
        await self.let_write(user, database)

    async def let_write(self, user: str, database: str) -> None:
        """Allow a user to write into a database."""
        await self._query(f"GRANT WRITE ON {identifier(database)} TO {identifier(user)}")

    async def _query(self, statement: str) -> list[list[Any]]:
        """The rows of the first series.

        Raises:
            StepError: it was not done; no statement is repeated in the message, for some hold a password.
        """
        assert self._session is not None
        try:
            async with self._session.post(
                f"{self.url}/query", data={"q": statement}, allow_redirects=False
            ) as response:
                content, status = bytearray(), response.status
                async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                    content += chunk
                    if len(content) > _MOST_ANSWER_BYTES:
                        raise StepError(f"InfluxDB at {self.url}: its answer is longer than 4 MiB")
        except (aiohttp.ClientError, OSError) as error:
            reason = f"no answer within {WITHIN_S:g} s" if isinstance(error, TimeoutError) else str(error)
            raise StepError(f"InfluxDB at {self.url}: {reason}") from error
        answer = _parsed(bytes(content))
        what = " ".join(statement.split()[:2])
        if status in _UNAUTHORIZED:
            advice = "give store.admin_user and store.admin_password_file of an administrator"
            raise StepError(f"InfluxDB at {self.url}: {what}: it does not allow it ({status}); {advice}")
        results = answer.get("results")
        result = results[0] if isinstance(results, list) and results and isinstance(results[0], dict) else {}
        said = answer.get("error") or result.get("error")
        if status != _OK or said or not isinstance(results, list):
            shown = "".join(each for each in str(said or "an answer of somebody else")[:300] if each.isprintable())
            raise StepError(f"InfluxDB at {self.url}: {what}: {status}: {shown}")
        series = result.get("series") or []
        return list(series[0].get("values", [])) if series and isinstance(series[0], dict) else []


def identifier(name: str) -> str:
    """A name in a statement."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(text: str) -> str:
    """A text in a statement."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
