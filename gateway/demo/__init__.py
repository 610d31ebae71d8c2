"""The demonstration: the whole product on simulated devices, each daemon a process of its own, as under systemd."""
