"""Networks that others have trained, for which the user brings the weights."""
