from readers.machines.modbus_io.settings import ModbusIoSettings, Module, Request, Table, requests


def test_a_run_is_no_longer_than_a_device_answers() -> None:
    inputs = [{"name": f"r{address}", "table": "holding", "address": address} for address in range(0, 300, 10)]
    found = requests(Module.model_validate({"inputs": inputs}))
    assert found == [Request(Table.HOLDING, 0, 121), Request(Table.HOLDING, 130, 121), Request(Table.HOLDING, 260, 31)]


def test_named_modules_are_sources() -> None:
    modules = [
        {"name": name, "address": number, "inputs": [{"name": "a", "address": 0}]}
        for number, name in ((1, "x"), (2, "y"))
    ]
    assert ModbusIoSettings.model_validate({"modules": modules}).sources() == ("x", "y")
    assert ModbusIoSettings.model_validate({"modules": [{"inputs": [{"name": "a", "address": 0}]}]}).sources() == ()
