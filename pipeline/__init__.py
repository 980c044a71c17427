"""The stages: systems and engines, generate, train, evaluate, plot; config and command line."""
