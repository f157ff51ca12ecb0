"""Tools of the house: what draws the reference pages."""
