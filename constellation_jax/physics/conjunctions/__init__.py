"""Close approaches of two objects: encounter plane, collision probability and derivatives. Traced, one event at a time."""
