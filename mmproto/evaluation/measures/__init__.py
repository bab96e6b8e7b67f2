"""Measures of explanations, as functions of arrays."""
