"""One experiment as a TOML file: its sections, their keys, and errors that name them."""
