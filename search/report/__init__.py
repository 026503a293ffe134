"""What a person looks at: progress, the front as table, picture and page."""
