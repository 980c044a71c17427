"""Tasks: what a network learns from trajectories, and how it goes on by itself. A file each."""
