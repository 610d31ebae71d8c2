import tomllib
from pathlib import Path

import argon2
import pytest

from gateway.demo.logins import hand_out


@pytest.mark.parametrize(
    ("people", "orders"),
    [(["operator", "gate-rules"], [False, True, True]), ([], [False, False, False])],
)
def test_each_role_has_a_user_with_this_password(tmp_path: Path, people: list[str], orders: list[bool]) -> None:
    password, tables = hand_out(tmp_path, people)
    users = tomllib.loads(tables)["console"]["user"]
    assert [user["role"] for user in users] == ["viewer", "operator", "engineer"]
    assert ["person" in user for user in users] == orders
    for user in users:
        known = (tmp_path / user["password_credential"]).read_text()
        assert argon2.PasswordHasher().verify(known, password)


def test_no_two_runs_share_a_password(tmp_path: Path) -> None:
    assert hand_out(tmp_path, [])[0] != hand_out(tmp_path, [])[0]
