"""The studio: a page in the browser to train, watch, generate, explore and compare, served on this machine."""
