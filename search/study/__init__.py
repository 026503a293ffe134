"""A study: one folder with one SQLite file of every result, and the tables made from it."""
