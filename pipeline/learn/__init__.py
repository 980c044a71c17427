"""Dataset -> trained model."""
