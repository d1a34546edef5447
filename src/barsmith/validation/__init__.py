"""Can it be believed: baselines, data checks, and the verdict on a score."""
