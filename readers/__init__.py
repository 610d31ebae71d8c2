"""Everything that reads: RFID tags, cards, meters, machines. Knows no site, no MQTT and no other room."""
