"""Look-up tables: lists that rules ask, such as appointments, releases, tariffs and routes."""
