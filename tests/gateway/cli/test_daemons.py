from tests.gateway.cli.command import tagwharf
from tests.gateway.config.test_faults import BROKEN


def test_run_becomes_the_daemon_and_keeps_its_exit_code() -> None:
    done = tagwharf("run", "console", "--config", BROKEN / "empty.toml")
    assert done.returncode == 78
    assert "empty.toml: site is missing" in done.stdout


def test_simulate_hands_its_arguments_to_the_simulator() -> None:
    done = tagwharf("simulate", "--help")
    assert done.returncode == 0
    assert "--seed" in done.stdout


def test_rules_hands_its_arguments_to_the_rules_room() -> None:
    done = tagwharf("rules", "check", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: tagwharf rules check ")
    done = tagwharf("rules", "check", BROKEN / "rules.toml")
    assert done.returncode == 78
    assert "rule[one].on = 'raed'" in done.stdout
