"""Training: the loop, one adversarial step, and what a run keeps."""
