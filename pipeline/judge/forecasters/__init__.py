"""Forecasters: whatever goes on from a history. Trained networks, and the baselines that they have to beat."""
