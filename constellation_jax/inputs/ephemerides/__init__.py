"""Inputs of fits to ephemerides: tables of states in OEM, SP3 and Starlink's MEME files, brought to TEME."""
