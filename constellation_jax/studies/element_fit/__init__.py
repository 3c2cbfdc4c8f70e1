"""Element sets fitted to ephemerides."""
