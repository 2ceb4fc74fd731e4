"""What people are shown of runs and models: curves, pictures and comparisons."""
