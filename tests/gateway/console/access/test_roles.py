import pytest
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from gateway.console.access.roles import Account, Role, account_of, require


def asked_by(account: object, told: list[str]) -> HTTPConnection:
    state = {"account": account, "refused": lambda _, reason: told.append(reason)}
    return HTTPConnection({"type": "http", "headers": [], "state": state})


def test_each_role_includes_those_before_it() -> None:
    assert Role.VIEWER < Role.OPERATOR < Role.ENGINEER
    assert max(Role.OPERATOR, Role.VIEWER) is Role.OPERATOR
    assert [role.value for role in sorted(Role, reverse=True)] == ["engineer", "operator", "viewer"]
    with pytest.raises(TypeError):
        _ = Role.VIEWER < "viewer"


@pytest.mark.parametrize("least", list(Role))
@pytest.mark.parametrize("role", list(Role))
def test_only_those_with_the_role_or_a_higher_one_pass(role: Role, least: Role) -> None:
    told: list[str] = []
    account = Account("anna", role)
    if role.value == "engineer" or role is least or least.value == "viewer":
        assert require(asked_by(account, told), least) is account
        assert told == []
    else:
        with pytest.raises(HTTPException, match=f"403: anna is {role.value}; this needs {least.value}"):
            require(asked_by(account, told), least)
        assert told == ["role"]


@pytest.mark.parametrize("account", [None, Account("", Role.VIEWER), "engineer", {"role": "engineer"}])
def test_who_has_not_logged_in_is_asked_to(account: object) -> None:
    told: list[str] = []
    with pytest.raises(HTTPException, match="401: log in first"):
        require(asked_by(account, told), Role.OPERATOR)
    assert told == ["login"]


def test_without_the_middleware_nobody_passes() -> None:
    request = HTTPConnection({"type": "http", "headers": []})
    assert account_of(request) is None
    with pytest.raises(HTTPException, match="401"):
        require(request, Role.VIEWER)
