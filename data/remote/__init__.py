"""Files that lie elsewhere: read by ranges, or brought whole into a cache, as if they lay here."""
