"""Inputs of conjunctions: CDM messages, hard-body radii and covariances of element sets."""
