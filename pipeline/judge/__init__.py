"""How good is a trained model? Errors, baselines, rollouts, limit cycles."""
