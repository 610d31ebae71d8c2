"""The conditions of rules: their grammar, what they mean, what they can ask for, and how items find them."""
