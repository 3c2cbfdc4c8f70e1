"""Fits of element sets to states, on the Jacobians."""
