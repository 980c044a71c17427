"""Taylor series by heyoka, many rows at once."""
