"""What tags and cards say: EPC schemes, ISO identifiers, container numbers, card identities. Pure, no I/O."""
