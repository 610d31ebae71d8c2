"""A site with two meters and a machine, for tests of their pages."""

PLANT = """
[energy]
timezone = "Asia/Shanghai"

[[energy.meter]]
name = "feeder"
demand = { limit_w = 20000, kind = "sliding", interval_s = 1800 }

[production]
interval_min = 5

[[production.machine]]
name = "warper-1"
device = "loom"
unit = "m"
ideal_rate_per_min = 300
meter = "feeder"

[[reader]]
name = "board"
driver = "dlt645"
port = "socket://127.0.0.1:1"
settings = { meters = [
    { name = "mains", address = "202411000101" },
    { name = "feeder", address = "202411000102" },
] }

[[reader]]
name = "loom"
driver = "modbus_machine"
port = "tcp://127.0.0.1:2"

[[reader.settings.machines]]
state = { address = 0, states = { "6" = "execute" } }

[[reader]]
name = "gate"
driver = "llrp"
port = "tcp://127.0.0.1:3"

[[pack]]
name = "power"
kind = "power"

[pack.settings]
price = [{ name = "industry", valid_from = 2026-01-01, per_kwh = { total = 0.72 } }]

[[pack.settings.meter]]
name = "mains"
nominal_v = 230
price = "industry"
demand = { contract_kw = 50 }
"""
