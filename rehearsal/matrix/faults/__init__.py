"""One file a fault, registered by being there; `FAULT` in it."""
