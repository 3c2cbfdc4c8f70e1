"""Figures of many encounters at once: probabilities, and derivatives by the elements."""
