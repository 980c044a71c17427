"""Is a dataset whole, unchanged and true to itself? Read in a child process where files may be hostile."""
