"""What everything else stands on: errors, checks of arguments, seeds, hashes, files written whole."""
