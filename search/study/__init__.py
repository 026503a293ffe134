"""A study: one folder with one SQLite file that keeps every result, and the tables made of it."""
