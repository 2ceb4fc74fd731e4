"""Studies: many trainings with one question or one purpose."""
