"""What the pages of the gate and of single events ask: lanes, transactions, evidence and orders."""
