"""What people are shown of runs and models: curves, pictures and comparisons."""

NEEDED = ("matplotlib", "jinja2", "scipy")  # of the extra `train`, by curves and pages
