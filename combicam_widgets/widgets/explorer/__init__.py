"""The explorer: diagram, overlay, map and words, kept in step with each other and with Python."""
