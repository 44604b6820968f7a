"""The routes of the organisers' pages and API, by subject."""
