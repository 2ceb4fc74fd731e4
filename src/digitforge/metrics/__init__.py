"""Metrics: figures from features and images, without torch."""
