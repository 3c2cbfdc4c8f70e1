"""Close approaches of two objects: encounter plane and collision probability. Traced, one event at a time."""
