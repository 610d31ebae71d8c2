"""What is wrong with rules, found when their file is loaded."""
