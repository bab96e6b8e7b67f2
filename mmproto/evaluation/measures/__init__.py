"""Measures of explanations as pure functions of numpy arrays: no model, no data set."""
