"""Rollouts: traffic moves from the live release of a name to a candidate as fast as the evidence allows, or back."""
