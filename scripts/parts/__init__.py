"""What the project is made of: the parts in its locks, and their licences."""
