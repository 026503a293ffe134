"""Progress of a search, and its front as table, picture and page."""
