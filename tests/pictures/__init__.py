"""Pictures for the documentation: boards drawn by their own queries, and pages of the console, in a real Chromium."""
