"""HTTP as every room uses it: what goes wrong in plain words, and bodies however they come."""
