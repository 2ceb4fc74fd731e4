"""Objectives: losses and penalties as pure functions, one paper each."""
