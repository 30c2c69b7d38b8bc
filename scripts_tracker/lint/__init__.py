"""The lint: what a reviewer would say of a script, said before it is merged."""
