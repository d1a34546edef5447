"""Features and labels, split, scaled, checked and shaped for a model."""
