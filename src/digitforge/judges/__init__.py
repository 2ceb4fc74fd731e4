"""Judges: networks that are trained or fetched to judge a model; they need torch."""
