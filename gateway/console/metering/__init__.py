"""What the pages of meters and machines stand on: what the site has, what is heard now, questions, sheets."""
