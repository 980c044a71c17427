"""The folder of a training: its config, checkpoints and metrics, and where the training stands."""
