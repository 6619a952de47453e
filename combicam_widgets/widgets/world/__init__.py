"""The world map: what the model says of the whole photo, and of the evidence alone."""
