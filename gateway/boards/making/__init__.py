"""How boards are made: queries tied to the schema, panels, the page that they stand on."""
