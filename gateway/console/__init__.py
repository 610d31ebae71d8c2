"""The web console of a site."""
