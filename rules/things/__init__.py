"""What people call the things that carry tags and cards: trucks, containers, seals, pallets, tools, persons."""
